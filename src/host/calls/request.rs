//! What the host says in a call: read ahead as far as it is there at once, so that the record of a
//! call knows it before the plugin does; counted as it goes on.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use tonic::Status;
use tonic::body::Body;

use super::tally::Tallying;
use crate::event::{MessageTally, ValueHasher};
use crate::limits::host::REQUEST_AHEAD_BYTES;

/// What was said so far. Shared by the body, which goes its own way, and the call.
#[derive(Clone)]
pub(super) struct Said(Arc<Mutex<Tallying>>);

impl Said {
    fn add(&self, piece: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(piece);
    }

    pub(super) fn tally(&self) -> MessageTally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tally()
    }
}

/// The body of a request, whose beginning was read.
pub(super) struct RequestBody {
    ahead: VecDeque<Result<Frame<Bytes>, Status>>,
    ended: bool,
    rest: Body,
    said: Said,
}

impl RequestBody {
    /// Reads what the body yields without being waited for.
    pub(super) async fn read_ahead(body: Body, hasher: Option<Box<dyn ValueHasher>>) -> Self {
        let said = Said(Arc::new(Mutex::new(Tallying::new(hasher))));
        let mut request = Self { ahead: VecDeque::new(), ended: false, rest: body, said };
        poll_fn(|cx| {
            request.read(cx);
            Poll::Ready(())
        })
        .await;
        request
    }

    pub(super) fn said(&self) -> Said {
        self.said.clone()
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

    /// The next piece of what was not read ahead.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let piece = std::task::ready!(Pin::new(&mut self.rest).poll_frame(cx));
        match &piece {
            Some(Ok(frame)) => frame.data_ref().into_iter().for_each(|data| self.said.add(data)),
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
