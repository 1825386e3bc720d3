//! Calls over one HTTP/2 connection. A request leaves in one write, as far as it is there when it
//! is made. Never reconnects.

use std::sync::LazyLock;
use std::task::{Context, Poll};

use h2::client::SendRequest;
use http::header::USER_AGENT;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tonic::Status;
use tonic::body::Body;
use tower_service::Service;

use super::body::{BodySender, SendBudget, SendBuffer};
use super::connection::SecureConnection;
use super::deadline::Deadline;
use super::headers::strip_connection_headers;
use super::response::{CallFuture, call_status};
use super::{TransportError, retain_heap};
use crate::limits::transport::{
    CONNECTION_WINDOW_BYTES, FRAME_BYTES, HEADER_LIST_BYTES, INITIAL_CALLS, STREAM_WINDOW_BYTES,
};

/// The authority that go-plugin hosts send.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::from_static("localhost"));

const USER_AGENT_VALUE: HeaderValue = HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION")));

/// Calls over one connection, for any client that tonic generates. Cheap to clone. The connection
/// closes after the last clone was dropped and the last call has ended.
#[derive(Debug, Clone)]
pub(crate) struct Http2Channel {
    requests: SendRequest<SendBuffer>,
    budget: SendBudget,
    runtime: Handle,
}

impl Http2Channel {
    /// Starts HTTP/2 on a secure connection. Call it within the runtime that shall drive the
    /// connection.
    pub(crate) async fn start(secure: SecureConnection) -> Result<Self, TransportError> {
        Self::over(secure.stream).await.map_err(|error| TransportError::Http2(error.into()))
    }

    pub(super) async fn over(bytes: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Self, h2::Error> {
        retain_heap();
        let (requests, connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_max_send_streams(INITIAL_CALLS)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES)
            .max_header_list_size(HEADER_LIST_BYTES)
            .handshake(bytes)
            .await?;
        let runtime = Handle::current();
        runtime.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to a plugin ended");
            }
        });
        Ok(Self { requests, budget: SendBudget::default(), runtime })
    }

    fn send(&self, request: Request<Body>) -> Result<CallFuture, Status> {
        // Deadlines need a runtime, and callers may be outside of it.
        let _entered = self.runtime.enter();
        let (mut head, body) = request.into_parts();
        let deadline = Deadline::of(&head.headers);
        head.uri = complete(head.uri)?;
        head.headers.entry(USER_AGENT).or_insert(USER_AGENT_VALUE);
        strip_connection_headers(&mut head.headers);
        let (head, ends) = (Request::from_parts(head, ()), body.is_end_stream());
        // A handle accepts its next request only after the connection has taken up the one before.
        // With a handle for each call, calls that are made together leave in one write.
        let (response, stream) = self.requests.clone().send_request(head, ends).map_err(call_status)?;
        let sender = (!ends).then(|| BodySender::new(body, stream, self.budget.clone()));
        let sending = sender.and_then(|sender| sender.start(&self.runtime));
        Ok(CallFuture::new(response, sending, deadline))
    }
}

impl Service<Request<Body>> for Http2Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = CallFuture;

    /// Always ready. If the connection is lost, the call reports it.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> CallFuture {
        self.send(request).unwrap_or_else(CallFuture::failed)
    }
}

/// Adds scheme and authority, which HTTP/2 requires (RFC 9113, section 8.3.1) and generated clients
/// do not know.
fn complete(uri: Uri) -> Result<Uri, Status> {
    let mut parts = uri.into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(AUTHORITY.clone());
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    Uri::from_parts(parts).map_err(|error| Status::internal(error.to_string()))
}
