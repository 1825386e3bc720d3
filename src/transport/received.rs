//! The bytes of one stream as they are read, and what follows them. The other end may send more
//! only when something was read.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http_body::{Body, Frame};

/// A body that is being received.
#[derive(Debug)]
pub(super) struct Received {
    stream: RecvStream,
    /// Whether all data was read, so that only trailers can follow.
    read: bool,
}

impl Received {
    pub(super) fn new(stream: RecvStream) -> Self {
        Self { stream, read: false }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let data = ready!(self.stream.poll_data(cx)?);
        if let Some(data) = &data {
            self.stream.flow_control().release_capacity(data.len())?;
        }
        Poll::Ready(data.map(Ok))
    }

    fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<HeaderMap, h2::Error>>> {
        Poll::Ready(ready!(self.stream.poll_trailers(cx)?).map(Ok))
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.read {
            if let Some(data) = ready!(self.poll_data(cx)) {
                return Poll::Ready(Some(data.map(Frame::data)));
            }
            self.read = true;
        }
        self.poll_trailers(cx).map(|trailers| trailers.map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}
