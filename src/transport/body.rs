//! Bodies of HTTP/2 streams: sent as far as flow control allows, received as they are read. Knows
//! neither calls nor deadlines.
//!
//! A sender keeps the newest bytes back until the body says whether more follow. The last DATA
//! frame then carries END_STREAM (RFC 9113, section 6.1), and no empty frame has to.

use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, coop};
use tonic::Status;
use tonic::body::Body;

use super::headers::strip_connection_headers;
use crate::limits::transport::UNSENT_BYTES;

/// Sends one body over one stream. Await it, or [`start`](Self::start) it.
pub(super) struct BodySender {
    body: Body,
    stream: SendStream<SendBuffer>,
    /// Bytes that wait for capacity, or for the body to say whether they are the last.
    held: Option<Bytes>,
    /// Whether a DATA frame was handed to the connection.
    begun: bool,
    budget: SendBudget,
}

/// The task that sends the rest of a body. Dropping it stops the task; h2 then resets the stream if
/// its end was not sent.
#[derive(Debug)]
pub(super) struct SendTask(AbortHandle);

impl Drop for SendTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl BodySender {
    pub(super) fn new(body: Body, stream: SendStream<SendBuffer>, budget: SendBudget) -> Self {
        Self { body, stream, held: None, begun: false, budget }
    }

    /// Sends the part of the body that is ready and fits, and spawns a task for the rest, if any.
    pub(super) fn start(mut self, runtime: &Handle) -> Option<SendTask> {
        // No wake-up can be lost: the task polls everything again with its own waker.
        match Pin::new(&mut self).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(()) => None,
            Poll::Pending => Some(SendTask(runtime.spawn(self).abort_handle())),
        }
    }

    /// Waits for capacity in the windows of the stream and of the connection (RFC 9113, section
    /// 5.2). Returns `false` if the stream is closed.
    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(false),
            }
        }
        Poll::Ready(true)
    }

    /// Sends the bytes that were kept back. An error is not reported here: the response reports it.
    fn release(&mut self, last: bool) {
        if let Some(bytes) = self.held.take() {
            // Only the first bytes may be queued without capacity, so only they count.
            let buffer = if self.begun { SendBuffer::from(bytes) } else { self.budget.charge(bytes) };
            self.begun = true;
            let _ = self.stream.send_data(buffer, last);
        }
    }

    /// Handles the next item of the body. Breaks after the last one.
    fn handle(&mut self, next: Option<Result<Frame<Bytes>, Status>>) -> ControlFlow<()> {
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
            // An empty DATA frame without END_STREAM carries nothing, and peers count many of them
            // as an attack (RFC 9113, section 10.5).
            Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => ControlFlow::Continue(()),
            Some(Ok(frame)) => {
                // More follows, so the bytes before are not the last. They go out before trailers,
                // which end the stream.
                self.release(false);
                self.handle_frame(frame)
            }
        }
    }

    fn handle_frame(&mut self, frame: Frame<Bytes>) -> ControlFlow<()> {
        match frame.into_data() {
            Ok(bytes) => {
                // One byte is enough for a wake-up when there is capacity; `send_data` requests the
                // rest.
                self.stream.reserve_capacity(1);
                self.held = Some(bytes);
                ControlFlow::Continue(())
            }
            Err(frame) => {
                let mut trailers = frame.into_trailers().unwrap_or_default();
                strip_connection_headers(&mut trailers);
                let _ = self.stream.send_trailers(trailers);
                ControlFlow::Break(())
            }
        }
    }
}

impl Future for BodySender {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // The peer may reset the stream at any time, also while the body has nothing to send: a
            // server that needs no more of a request does so (RFC 9113, section 8.1).
            if self.stream.poll_reset(cx).is_ready() {
                return Poll::Ready(());
            }
            // The first bytes do not wait for capacity. A stream that is not open yet (section
            // 5.1.2) has none, and the bytes shall leave in the same write as the headers that open
            // it. h2 queues them, which the budget bounds.
            let may_queue = !self.begun && self.budget.has_capacity();
            if self.held.is_some() && !may_queue && !ready!(self.poll_capacity(cx)) {
                return Poll::Ready(());
            }
            // A body that is always ready yields to other tasks after a while.
            if self.begun {
                ready!(coop::poll_proceed(cx)).made_progress();
            }
            let Poll::Ready(next) = Pin::new(&mut self.body).poll_frame(cx) else {
                // Bytes that are there do not wait for bytes that may come much later.
                self.release(false);
                return Poll::Pending;
            };
            if self.handle(next).is_break() {
                return Poll::Ready(());
            }
        }
    }
}

/// Counts the bytes of one connection that were queued before there was capacity for them. Clones
/// share the count.
///
/// h2 keeps such bytes until the peer grants capacity, also for calls that were cancelled before.
#[derive(Debug, Clone, Default)]
pub(super) struct SendBudget(Arc<AtomicUsize>);

impl SendBudget {
    fn has_capacity(&self) -> bool {
        self.0.load(Ordering::Relaxed) < UNSENT_BYTES
    }

    /// Counts `bytes` until the buffer is dropped: when they were sent or given up.
    fn charge(&self, bytes: Bytes) -> SendBuffer {
        let charge = Charge { length: bytes.len(), budget: self.clone() };
        self.0.fetch_add(charge.length, Ordering::Relaxed);
        SendBuffer { bytes, charge: Some(charge) }
    }
}

/// Bytes of a body that the connection owns until they are sent.
#[derive(Debug)]
pub(super) struct SendBuffer {
    bytes: Bytes,
    #[expect(dead_code, reason = "counts against the budget until it is dropped")]
    charge: Option<Charge>,
}

#[derive(Debug)]
struct Charge {
    length: usize,
    budget: SendBudget,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.length, Ordering::Relaxed);
    }
}

impl From<Bytes> for SendBuffer {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, charge: None }
    }
}

impl Buf for SendBuffer {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

/// A body that is being received: data, then trailers.
#[derive(Debug)]
pub(super) struct ReceiveBody {
    stream: RecvStream,
    /// Whether all data was read, so that only trailers can follow.
    data_ended: bool,
}

impl ReceiveBody {
    pub(super) fn new(stream: RecvStream) -> Self {
        Self { stream, data_ended: false }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let data = ready!(self.stream.poll_data(cx)?);
        if let Some(data) = &data {
            // Reopens the peer's window by the bytes that were read (RFC 9113, section 6.9). A
            // reader that does not read stops the peer.
            self.stream.flow_control().release_capacity(data.len())?;
        }
        Poll::Ready(data.map(Ok))
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<HeaderMap, h2::Error>>> {
        Poll::Ready(ready!(self.stream.poll_trailers(cx)?).map(Ok))
    }
}

impl HttpBody for ReceiveBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.data_ended {
            if let Some(data) = ready!(self.poll_data(cx)) {
                return Poll::Ready(Some(data.map(Frame::data)));
            }
            self.data_ended = true;
        }
        self.poll_trailers(cx).map(|trailers| trailers.map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}
