//! Calls over one HTTP/2 connection that is already there: a request goes out in one piece, as far
//! as it is there. It never connects again.

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

use super::connection::SecureConnection;
use super::deadline::Deadline;
use super::fields::strip;
use super::response::{CallFuture, broken};
use super::sending::Sending;
use super::unsent::{Piece, Unsent};
use super::{CONNECTION_WINDOW, FRAME_SIZE, HEADER_LIST_SIZE, STREAM_WINDOW, TransportError, memory};

/// The authority that go-plugin hosts send.
static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::from_static("localhost"));

/// What this end calls itself.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION")));

/// How many calls are made before the plugin has said how many it takes (RFC 9113, section 6.5.2).
/// The others wait, and are not refused.
const FIRST_CALLS: usize = 100;

/// Calls over one connection, for any client that tonic generates. Cheap to clone; the connection
/// ends with the last clone and the last call.
#[derive(Debug, Clone)]
pub(crate) struct Http2Channel {
    requests: SendRequest<Piece>,
    unsent: Unsent,
    runtime: Handle,
}

impl Http2Channel {
    /// Starts HTTP/2 on a secured connection. To be called within the runtime that the connection is to
    /// live in.
    pub(crate) async fn start(secured: SecureConnection) -> Result<Self, TransportError> {
        Self::over(secured.stream).await.map_err(|error| TransportError::Http2(error.into()))
    }

    pub(super) async fn over(bytes: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Self, h2::Error> {
        memory::keep();
        let (requests, connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_max_send_streams(FIRST_CALLS)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME_SIZE)
            .max_header_list_size(HEADER_LIST_SIZE)
            .handshake(bytes)
            .await?;
        let runtime = Handle::current();
        runtime.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to a plugin ended");
            }
        });
        Ok(Self { requests, unsent: Unsent::default(), runtime })
    }

    fn send(&self, request: Request<Body>) -> Result<CallFuture, Status> {
        let _here = self.runtime.enter();
        let (mut head, body) = request.into_parts();
        let deadline = Deadline::of(&head.headers);
        head.uri = complete(head.uri)?;
        head.headers.entry(USER_AGENT).or_insert(AGENT);
        strip(&mut head.headers);
        let (head, ends) = (Request::from_parts(head, ()), body.is_end_stream());
        // A handle takes no second request before its first is under way. With one for each call,
        // many of them leave in one piece.
        let (response, stream) = self.requests.clone().send_request(head, ends).map_err(broken)?;
        let sending = if ends { None } else { Sending::new(body, stream, self.unsent.clone()).start(&self.runtime) };
        Ok(CallFuture::new(response, sending, deadline))
    }
}

impl Service<Request<Body>> for Http2Channel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = CallFuture;

    /// Always ready: that the connection is lost is said by the call.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> CallFuture {
        self.send(request).unwrap_or_else(CallFuture::refused)
    }
}

/// HTTP/2 wants more than the path that generated clients know (RFC 9113, section 8.3.1).
fn complete(uri: Uri) -> Result<Uri, Status> {
    let mut parts = uri.into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(AUTHORITY.clone());
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    Uri::from_parts(parts).map_err(|error| Status::internal(error.to_string()))
}
