//! What a body has, sent as far as the other end takes it. The end of the body goes out with the
//! last of its bytes, not after them.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::{Body as _, Frame};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, coop};
use tonic::Status;
use tonic::body::Body;

use super::fields::strip;
use super::unsent::{Piece, Unsent};

/// A body that is being sent.
pub(super) struct Sending {
    body: Body,
    stream: SendStream<Piece>,
    /// Bytes that wait for room, or for the question whether they are the last.
    held: Option<Bytes>,
    /// Whether bytes were sent already.
    begun: bool,
    unsent: Unsent,
}

/// The task that sends the rest of a body. It ends with this value; what was not sent by then is
/// taken back by a reset.
#[derive(Debug)]
pub(super) struct Rest(AbortHandle);

impl Drop for Rest {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Sending {
    /// To be awaited for the body to be sent.
    pub(super) fn new(body: Body, stream: SendStream<Piece>, unsent: Unsent) -> Self {
        Self { body, stream, held: None, begun: false, unsent }
    }

    /// Sends what is there and fits, and leaves the rest, if any, to a task.
    pub(super) fn start(mut self, runtime: &Handle) -> Option<Rest> {
        // Whoever would be woken here: the task asks again.
        match Pin::new(&mut self).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(()) => None,
            Poll::Pending => Some(Rest(runtime.spawn(self).abort_handle())),
        }
    }

    /// Waits until some of what is held may be sent. `false` if nothing may any more.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(false),
            }
        }
        Poll::Ready(true)
    }

    /// Sends what is held. That the other end is gone is told by the answer.
    fn release(&mut self, last: bool) {
        if let Some(bytes) = self.held.take() {
            let piece = if self.begun { Piece::from(bytes) } else { self.unsent.ahead(bytes) };
            self.begun = true;
            let _ = self.stream.send_data(piece, last);
        }
    }

    /// Takes what the body has next; breaks if that was all.
    fn take(&mut self, next: Option<Result<Frame<Bytes>, Status>>) -> ControlFlow<()> {
        match next {
            None => {
                self.held.get_or_insert_default();
                self.release(true);
                ControlFlow::Break(())
            }
            Some(Err(_)) => {
                self.stream.send_reset(Reason::CANCEL);
                ControlFlow::Break(())
            }
            // Says nothing, and other ends count such frames as an attack.
            Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => ControlFlow::Continue(()),
            Some(Ok(frame)) => {
                self.release(false);
                self.take_frame(frame)
            }
        }
    }

    fn take_frame(&mut self, frame: Frame<Bytes>) -> ControlFlow<()> {
        match frame.into_data() {
            Ok(bytes) => {
                // A little is enough to be told that there is room; how much there is to send
                // becomes known when it is sent.
                self.stream.reserve_capacity(1);
                self.held = Some(bytes);
                ControlFlow::Continue(())
            }
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                strip(&mut trailers);
                let _ = self.stream.send_trailers(trailers);
                ControlFlow::Break(())
            }
        }
    }
}

impl Future for Sending {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // An end that wants no more resets the stream, maybe while there is nothing to be sent.
            if self.stream.poll_reset(cx).is_ready() {
                return Poll::Ready(());
            }
            // The first bytes do not wait: a stream that is not open yet has no room, and they
            // shall go out with what opens it.
            let goes_ahead = !self.begun && self.unsent.has_room();
            if self.held.is_some() && !goes_ahead && !ready!(self.poll_room(cx)) {
                return Poll::Ready(());
            }
            // A body that always has more does not keep its thread for itself.
            if self.begun {
                ready!(coop::poll_proceed(cx)).made_progress();
            }
            let Poll::Ready(next) = Pin::new(&mut self.body).poll_frame(cx) else {
                self.release(false);
                return Poll::Pending;
            };
            if self.take(next).is_break() {
                return Poll::Ready(());
            }
        }
    }
}
