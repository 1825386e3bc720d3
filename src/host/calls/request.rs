//! The request of a call. Its available part is read before the call is made, so that the record of
//! the intent covers it; the rest is counted while it is sent.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use tonic::Status;
use tonic::body::Body;

use super::tally::TallyCounter;
use crate::event::{MessageTally, ValueHasher};
use crate::limits::host::REQUEST_AHEAD_BYTES;

/// The request so far. Shared by the body, which the transport drives, and the call.
#[derive(Clone)]
pub(super) struct RequestTally(Arc<Mutex<TallyCounter>>);

impl RequestTally {
    fn add(&self, piece: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(piece);
    }

    pub(super) fn tally(&self) -> MessageTally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tally()
    }
}

/// The request body for the transport: the part that was read ahead, then the rest.
pub(super) struct RequestBody {
    ahead: VecDeque<Result<Frame<Bytes>, Status>>,
    ended: bool,
    rest: Body,
    request_tally: RequestTally,
}

impl RequestBody {
    /// Reads the part of the body that is available without waiting.
    pub(super) async fn read_ahead(body: Body, hasher: Option<Box<dyn ValueHasher>>) -> Self {
        let request_tally = RequestTally(Arc::new(Mutex::new(TallyCounter::new(hasher))));
        let mut request = Self { ahead: VecDeque::new(), ended: false, rest: body, request_tally };
        poll_fn(|cx| {
            request.read(cx);
            Poll::Ready(())
        })
        .await;
        request
    }

    pub(super) fn request_tally(&self) -> RequestTally {
        self.request_tally.clone()
    }

    fn read(&mut self, cx: &mut Context<'_>) {
        let mut length = 0;
        while length < REQUEST_AHEAD_BYTES && !self.ended {
            match self.next(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => {}
                Poll::Ready(Some(piece)) => {
                    length += piece.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
                    self.ahead.push_back(piece);
                }
            }
        }
    }

    /// The next piece that was not read ahead.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let piece = std::task::ready!(Pin::new(&mut self.rest).poll_frame(cx));
        match &piece {
            Some(Ok(frame)) => frame.data_ref().into_iter().for_each(|data| self.request_tally.add(data)),
            Some(Err(_)) | None => self.ended = true,
        }
        Poll::Ready(piece)
    }
}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.ahead.pop_front() {
            Some(piece) => Poll::Ready(Some(piece)),
            None if self.ended => Poll::Ready(None),
            None => self.next(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && (self.ended || self.rest.is_end_stream())
    }
}
