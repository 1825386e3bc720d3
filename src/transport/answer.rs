//! What comes back for a request: headers, messages as they are read, a status. Nobody's window is opened for what is not read, and what tonic cannot read is taken out.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use h2::client::ResponseFuture;
use http::{HeaderMap, Response};
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;

use super::clean::clean;
use super::deadline::Deadline;
use super::sending::Rest;

/// An answer to come. Dropped, it takes the request back.
#[derive(Debug)]
pub(crate) struct Answering(Result<Waiting, Option<Status>>);

#[derive(Debug)]
struct Waiting {
    response: ResponseFuture,
    rest: Option<Rest>,
    deadline: Deadline,
}

impl Answering {
    pub(super) fn new(response: ResponseFuture, rest: Option<Rest>, deadline: Deadline) -> Self {
        Self(Ok(Waiting { response, rest, deadline }))
    }

    /// For a request that was not sent.
    pub(super) fn refused(status: Status) -> Self {
        Self(Err(Some(status)))
    }
}

impl Future for Answering {
    type Output = Result<Response<Body>, Status>;

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
            let mut response = response.map(|stream| Body::new(Answer { stream, read: false, _rest: rest, deadline }));
            clean(response.headers_mut());
            response
        }))
    }
}

/// The body of an answer. Dropped before its end, it takes back what is still to be sent and to be answered.
struct Answer {
    stream: RecvStream,
    /// Whether all data was read.
    read: bool,
    _rest: Option<Rest>,
    deadline: Deadline,
}

impl Answer {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let data = ready!(self.stream.poll_data(cx)?);
        if let Some(data) = &data {
            // It is the reader's now; the other end may send as much again.
            self.stream.flow_control().release_capacity(data.len())?;
        }
        Poll::Ready(data.map(Ok))
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<HeaderMap, h2::Error>>> {
        let trailers = ready!(self.stream.poll_trailers(cx)?);
        Poll::Ready(trailers.map(|mut trailers| {
            clean(&mut trailers);
            Ok(trailers)
        }))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.read {
            if let Some(data) = ready!(self.poll_data(cx)) {
                return Poll::Ready(Some(data.map(Frame::data)));
            }
            self.read = true;
        }
        self.poll_trailers(cx).map(|trailers| trailers.map(|trailers| trailers.map(Frame::trailers)))
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.poll_next(cx) {
            Poll::Ready(next) => Poll::Ready(next.map(|frame| frame.map_err(broken))),
            Poll::Pending => self.deadline.poll(cx).map(|late| Some(Err(late))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}

/// What a caller is told of a stream or a connection that ended before its answer did. A reset has a meaning (gRPC over HTTP/2, "Errors"); a connection that is lost
/// does not come back.
pub(super) fn broken(error: h2::Error) -> Status {
    if error.is_reset() {
        return error.into();
    }
    let mut status = Status::unavailable(format!("the connection to the plugin is lost: {error}"));
    status.set_source(std::sync::Arc::new(error));
    status
}
