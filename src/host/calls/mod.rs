//! Calls of a plugin, recorded: what is about to be called before anything is sent, how it ended
//! before the caller knows. Knows HTTP and gRPC's framing, and no application.

mod answer;
mod arguments;
mod framing;
mod ongoing;
mod request;
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

use self::answer::Answer;
pub use self::arguments::{Arguments, ArgumentsError};
use self::ongoing::{ABANDONED, Ongoing, Outcome, Subject};
use self::request::RequestBody;
use self::tally::Tallying;
use crate::event::{CallIntent, Event, LaunchId, MessageTally, RecordError, Recorder, Reservation, text};
use crate::{Chain, Escaped, MESSAGE_LIMIT};

/// Records the calls that go through a channel. [`Plugin::channel`](super::Plugin::channel) has it
/// already, if the launch was recorded; this is for other channels to the same plugin.
///
/// A call is recorded before anything of it is sent: with the whole request, or what is there of a
/// stream. If it cannot be, it is not made, and the caller gets `UNAVAILABLE`. Its outcome is
/// recorded before the caller has it; if that cannot be, the caller gets `UNKNOWN`. What a stream
/// answers is recorded before the caller has it too: as many messages at once as are there.
/// Messages appear in the log by number, size and keyed hash, and so do the [`Arguments`] that the
/// application puts among the extensions of a request.
///
/// With a log that is kept in best effort nothing is waited for, nothing is refused, and there are
/// no records between the first and the last of a call.
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

    /// The call is in the log when this returns, or is not to be made.
    async fn begin(&self, request: http::Request<Body>) -> Result<(http::Request<Body>, Ongoing), RecordError> {
        let (parts, body) = request.into_parts();
        let body = RequestBody::read_ahead(body, self.recorder.value_hasher()).await;
        let (since, said) = (Instant::now(), body.said());
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let subject = Subject { layer: self.clone(), number, method: text(parts.uri.path()) };
        let span = subject.span(parts.uri.path());
        let arguments = parts.extensions.get::<Arguments>();
        let call = Event::Call(CallIntent {
            launch: self.launch,
            call: number,
            method: subject.method.clone(),
            arguments: arguments.map(|all| all.keyed_hashes(&*self.recorder)).unwrap_or_default(),
            request: said.tally(),
        });
        let otherwise = subject.returned(ABANDONED, since, said.tally(), MessageTally::default());
        let reservation = Some(Reservation::new(&self.recorder, call, otherwise).await?);
        let heard = Tallying::new(self.recorder.value_hasher());
        let request = http::Request::from_parts(parts, Body::new(body));
        Ok((request, Ongoing { subject, since, said, heard, reservation, span }))
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
            Err(error) => match ongoing.settle(Outcome::Broken).await {
                Ok(()) => Err(error),
                Err(error) => Ok(unrecorded(&error).into_http()),
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

/// What the caller gets of a response whose headers are there.
async fn answer(response: http::Response<Body>, ongoing: Ongoing) -> http::Response<Body> {
    let told = Outcome::told(response.headers());
    let refused = told.is_some_and(|outcome| outcome != Outcome::Status(Code::Ok));
    if !refused && !response.body().is_end_stream() {
        return response.map(|body| Body::new(Answer::new(body, told, ongoing)));
    }
    // That is all of it: nobody reads on behind a status that says so.
    match ongoing.settle(told.unwrap_or(Outcome::Broken)).await {
        Ok(()) => response.map(|_| Body::empty()),
        Err(error) => unrecorded(&error).into_http(),
    }
}

fn not_made(error: &RecordError) -> Status {
    Status::unavailable(format!("the call could not be recorded, and was not made: {}", Chain::of(error)))
}

fn unrecorded(error: &RecordError) -> Status {
    Status::unknown(format!("the plugin answered and the answer could not be recorded: {}", Chain::of(error)))
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
        // The one that is ready makes the call.
        let next = self.service.clone();
        let service = std::mem::replace(&mut self.service, next);
        Box::pin(self.layer.clone().call(service, request))
    }
}

#[cfg(test)]
mod tests;
