//! What comes back for a request: headers, messages, a status, within the time that the caller has.
//! What tonic cannot read is taken out.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::Reason;
use h2::client::ResponseFuture;
use http::Response;
use http_body::{Body, Frame};
use tonic::{Code, Status, body};

use super::clean::clean;
use super::deadline::Deadline;
use super::received::Received;
use super::sending::Rest;

/// An answer to come. Dropped, it takes the request back.
#[derive(Debug)]
pub(crate) struct CallFuture(Result<Waiting, Option<Status>>);

#[derive(Debug)]
struct Waiting {
    response: ResponseFuture,
    rest: Option<Rest>,
    deadline: Deadline,
}

impl CallFuture {
    pub(super) fn new(response: ResponseFuture, rest: Option<Rest>, deadline: Deadline) -> Self {
        Self(Ok(Waiting { response, rest, deadline }))
    }

    /// For a request that was not sent.
    pub(super) fn refused(status: Status) -> Self {
        Self(Err(Some(status)))
    }
}

impl Future for CallFuture {
    type Output = Result<Response<body::Body>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let waiting = match &mut self.0 {
            Ok(waiting) => waiting,
            Err(status) => return status.take().map_or(Poll::Pending, |status| Poll::Ready(Err(status))),
        };
        let response = match Pin::new(&mut waiting.response).poll(cx) {
            Poll::Ready(response) => response.map_err(broken),
            Poll::Pending => Err(ready!(waiting.deadline.poll(cx))),
        };
        let (rest, deadline) = (waiting.rest.take(), mem::take(&mut waiting.deadline));
        self.0 = Err(None);
        Poll::Ready(response.map(|response| {
            let mut response = response
                .map(|stream| body::Body::new(Answer { received: Received::new(stream), _rest: rest, deadline }));
            clean(response.headers_mut());
            response
        }))
    }
}

/// The body of an answer. Dropped before its end, it takes back what is still to be sent and to be
/// answered.
struct Answer {
    received: Received,
    _rest: Option<Rest>,
    deadline: Deadline,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Poll::Ready(next) = Pin::new(&mut self.received).poll_frame(cx) else {
            return self.deadline.poll(cx).map(|late| Some(Err(late)));
        };
        Poll::Ready(next.map(|frame| {
            // A plugin that never pauses does not outlast it.
            self.deadline.check()?;
            let mut frame = frame.map_err(broken)?;
            frame.trailers_mut().map(clean);
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.received.is_end_stream()
    }
}

/// What a caller is told of a stream or a connection that ended before its answer did. A connection
/// that is lost does not come back.
pub(super) fn broken(error: h2::Error) -> Status {
    let mut status = match error.reason().filter(|_| error.is_reset()) {
        Some(reason) => Status::new(code(reason), format!("the call was broken off: {error}")),
        None => Status::unavailable(format!("the connection to the plugin is lost: {error}")),
    };
    status.set_source(Arc::new(error));
    status
}

/// What a reset means (gRPC over HTTP/2, "Errors").
fn code(reason: Reason) -> Code {
    match reason {
        Reason::REFUSED_STREAM => Code::Unavailable,
        Reason::CANCEL => Code::Cancelled,
        Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Internal,
    }
}
