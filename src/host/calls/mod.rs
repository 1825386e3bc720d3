//! Records the calls of a plugin: the intent before anything is sent, the outcome before the caller
//! gets it. Knows HTTP and gRPC's framing, but no application.

mod arguments;
mod framing;
mod recorded;
mod request;
mod response;
mod scan;
mod tally;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use http_body::Body as _;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tower_layer::Layer;
use tower_service::Service;
use tracing::{Instrument as _, Span};

pub use self::arguments::{Arguments, ArgumentsError};
use self::recorded::{ABANDONED, Outcome, RecordedCall, Subject};
use self::request::RequestBody;
use self::response::ResponseBody;
use self::tally::TallyCounter;
use crate::event::{CallIntent, Event, LaunchId, MessageTally, RecordError, Recorder, Reservation, text};
use crate::{Chain, Escaped, MESSAGE_LIMIT};

/// Records the calls that go through a channel. [`Plugin::channel`](super::Plugin::channel) has it
/// already, if the launch was recorded; this is for other channels to the same plugin.
///
/// A call is recorded before anything of it is sent: with the whole request, or the available part
/// of a stream. If that fails, the call is not made, and the caller gets `UNAVAILABLE`. The outcome
/// is recorded before the caller gets it; if that fails, the caller gets `UNKNOWN`. The messages of
/// a streaming response are recorded before the caller gets them, one record for all that are
/// available. Records hold the number, size and keyed hash of messages, and so do the [`Arguments`]
/// that the application puts among the extensions of a request.
///
/// With a recorder that is not required, such as an audit log in best effort, calls wait for no
/// record, no call is refused, and there are no records between the first and the last of a call.
///
/// There is a `tracing` span for each call, with the attributes that OpenTelemetry has for calls by
/// gRPC.
///
/// # Panics
///
/// Calls panic outside a tokio runtime, and in one without time.
#[derive(Debug, Clone)]
pub struct CallLayer {
    recorder: Arc<dyn Recorder>,
    launch: LaunchId,
    limit: u64,
    calls: Arc<AtomicU64>,
}

impl CallLayer {
    /// Records calls as those of this launch. Two layers for the same launch count its calls apart;
    /// clones count them together.
    pub fn new(recorder: Arc<dyn Recorder>, launch: LaunchId) -> Self {
        Self { recorder, launch, limit: MESSAGE_LIMIT as u64, calls: Arc::default() }
    }

    /// Refuses messages of the plugin with more than `limit` bytes, instead of 64 MiB, as soon as
    /// they begin; that is recorded too.
    pub fn with_message_limit(mut self, limit: usize) -> Self {
        self.limit = limit as u64;
        self
    }

    /// Records the intent. The call may be made if this succeeds, and must not if it fails.
    async fn begin(&self, request: http::Request<Body>) -> Result<(http::Request<Body>, RecordedCall), RecordError> {
        let (parts, body) = request.into_parts();
        let body = RequestBody::read_ahead(body, self.recorder.value_hasher()).await;
        let (since, request_tally) = (Instant::now(), body.request_tally());
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let subject = Subject { layer: self.clone(), number, method: text(parts.uri.path()) };
        let span = subject.span(parts.uri.path());
        let arguments = parts.extensions.get::<Arguments>();
        let call = Event::Call(CallIntent {
            launch: self.launch,
            call: number,
            method: subject.method.clone(),
            arguments: arguments.map(|all| all.keyed_hashes(&*self.recorder)).unwrap_or_default(),
            request: request_tally.tally(),
        });
        let otherwise = subject.returned(ABANDONED, since, request_tally.tally(), MessageTally::default());
        let reservation = Some(Reservation::new(&self.recorder, call, otherwise).await?);
        let response_tally = TallyCounter::new(self.recorder.value_hasher());
        let request = http::Request::from_parts(parts, Body::new(body));
        Ok((request, RecordedCall { subject, since, request_tally, response_tally, reservation, span }))
    }

    async fn call<S>(self, mut service: S, request: http::Request<Body>) -> Result<http::Response<Body>, S::Error>
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>>,
    {
        let (request, ongoing) = match self.begin(request).await {
            Ok(begun) => begun,
            Err(error) => return Ok(not_made(&error).into_http()),
        };
        match service.call(request).instrument(ongoing.span.clone()).await {
            Ok(response) => Ok(answer(response, ongoing).await),
            Err(error) => match ongoing.finish(Outcome::Broken).await {
                Ok(()) => Err(error),
                Err(error) => Ok(not_recorded(&error).into_http()),
            },
        }
    }
}

impl Subject {
    fn span(&self, path: &str) -> Span {
        let (service, method) = path.trim_start_matches('/').rsplit_once('/').unwrap_or(("", path));
        tracing::info_span!(
            target: "portcullis::call",
            "call",
            otel.kind = "client",
            otel.name = %Escaped::new(path.trim_start_matches('/')),
            rpc.system = "grpc",
            rpc.service = %Escaped::new(service),
            rpc.method = %Escaped::new(method),
            rpc.grpc.status_code = tracing::field::Empty,
            launch = %self.layer.launch,
            call = self.number,
        )
    }
}

/// Turns a response whose headers have arrived into the one for the caller.
async fn answer(response: http::Response<Body>, ongoing: RecordedCall) -> http::Response<Body> {
    let status = Outcome::of(response.headers());
    let refused = status.is_some_and(|outcome| outcome != Outcome::Status(Code::Ok));
    if !refused && !response.body().is_end_stream() {
        return response.map(|body| Body::new(ResponseBody::new(body, status, ongoing)));
    }
    // A status in the headers ends the response ("Trailers-Only"), so there is no body to hold.
    match ongoing.finish(status.unwrap_or(Outcome::Broken)).await {
        Ok(()) => response.map(|_| Body::empty()),
        Err(error) => not_recorded(&error).into_http(),
    }
}

fn not_made(error: &RecordError) -> Status {
    Status::unavailable(format!("the call could not be recorded, and was not made: {}", Chain::of(error)))
}

fn not_recorded(error: &RecordError) -> Status {
    Status::unknown(format!("the plugin answered, but the answer could not be recorded: {}", Chain::of(error)))
}

impl<S> Layer<S> for CallLayer {
    type Service = RecordedCalls<S>;

    fn layer(&self, service: S) -> RecordedCalls<S> {
        RecordedCalls { service, layer: self.clone() }
    }
}

/// A channel whose calls are recorded.
#[derive(Clone)]
pub struct RecordedCalls<S> {
    service: S,
    layer: CallLayer,
}

impl<S> fmt::Debug for RecordedCalls<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedCalls").field("layer", &self.layer).finish_non_exhaustive()
    }
}

/// A call that is being made.
pub(super) type Calling<E> = Pin<Box<dyn Future<Output = Result<http::Response<Body>, E>> + Send>>;

impl<S> Service<http::Request<Body>> for RecordedCalls<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Calling<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        // `poll_ready` made this service ready, not its clone: this one must make the call.
        let next = self.service.clone();
        let service = std::mem::replace(&mut self.service, next);
        Box::pin(self.layer.clone().call(service, request))
    }
}

#[cfg(test)]
mod tests;
