//! The response to one call: headers, messages, a status, before the caller's deadline. Maps errors
//! of HTTP/2 to statuses of gRPC.

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

use super::body::{ReceiveBody, SendTask};
use super::deadline::Deadline;
use super::headers::sanitize_status_details;

/// Resolves when the headers of the response are there. Dropping it cancels the call: h2 resets the
/// stream with CANCEL.
#[derive(Debug)]
pub(crate) struct CallFuture(Result<Awaited, Option<Status>>);

/// A call whose request was handed to the connection.
#[derive(Debug)]
struct Awaited {
    headers: ResponseFuture,
    /// Sends the rest of the request. A server may answer before it has read the whole of it.
    sending: Option<SendTask>,
    deadline: Deadline,
}

impl CallFuture {
    pub(super) fn new(headers: ResponseFuture, sending: Option<SendTask>, deadline: Deadline) -> Self {
        Self(Ok(Awaited { headers, sending, deadline }))
    }

    /// A call that failed before anything was sent.
    pub(super) fn failed(status: Status) -> Self {
        Self(Err(Some(status)))
    }
}

impl Future for CallFuture {
    type Output = Result<Response<body::Body>, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let call = match &mut self.0 {
            Ok(call) => call,
            Err(status) => return status.take().map_or(Poll::Pending, |status| Poll::Ready(Err(status))),
        };
        let response = match Pin::new(&mut call.headers).poll(cx) {
            Poll::Ready(response) => response.map_err(call_status),
            Poll::Pending => Err(ready!(call.deadline.poll(cx))),
        };
        let (sending, deadline) = (call.sending.take(), mem::take(&mut call.deadline));
        // Also drops the future of h2: after a deadline that is what cancels the call.
        self.0 = Err(None);
        Poll::Ready(response.map(|response| {
            let body = |stream| ResponseBody { received: ReceiveBody::new(stream), _sending: sending, deadline };
            let mut response = response.map(|stream| body::Body::new(body(stream)));
            sanitize_status_details(response.headers_mut());
            response
        }))
    }
}

/// The body of a response. Dropping it before its end cancels the call, with the rest of the
/// request.
struct ResponseBody {
    received: ReceiveBody,
    _sending: Option<SendTask>,
    deadline: Deadline,
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Poll::Ready(next) = Pin::new(&mut self.received).poll_frame(cx) else {
            return self.deadline.poll(cx).map(|late| Some(Err(late)));
        };
        Poll::Ready(next.map(|frame| {
            // A plugin that sends without a pause is never pending, and must not outlast the
            // deadline either.
            self.deadline.check()?;
            let mut frame = frame.map_err(call_status)?;
            frame.trailers_mut().map(sanitize_status_details);
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.received.is_end_stream()
    }
}

/// The status of a call whose stream was reset or whose connection is lost. A lost connection fails
/// this call and all that follow on its channel.
pub(super) fn call_status(error: h2::Error) -> Status {
    let mut status = match error.reason().filter(|_| error.is_reset()) {
        Some(reason) => Status::new(reset_code(reason), format!("the plugin reset the call: {error}")),
        None => Status::unavailable(format!("the connection to the plugin is lost: {error}")),
    };
    status.set_source(Arc::new(error));
    status
}

/// The code for a reset ("gRPC over HTTP/2", section "Errors").
fn reset_code(reason: Reason) -> Code {
    match reason {
        Reason::REFUSED_STREAM => Code::Unavailable,
        Reason::CANCEL => Code::Cancelled,
        Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Internal,
    }
}
