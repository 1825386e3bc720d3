//! A value on its way from a peer: never more than was announced, and never less without an error.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use kv::VALUE_LIMIT;
use kv::store_proto::get_response::Part;
use kv::store_proto::{Found, GetResponse};
use tokio_stream::Stream;
use tonic::{Status, Streaming};

/// What there is to come, and a stream of its pieces.
pub(crate) struct Value {
    /// 0 if the peer knows no versions.
    pub(crate) version: u64,
    /// In bytes.
    pub(crate) size: u64,
    left: u64,
    source: Source,
}

enum Source {
    Pieces(Box<Streaming<GetResponse>>),
    Whole(Option<Bytes>),
    Over,
}

impl Value {
    /// Waits for the announcement.
    pub(super) async fn begin(mut pieces: Streaming<GetResponse>) -> Result<Self, Status> {
        let first = pieces.message().await?.and_then(|message| message.part);
        match first {
            Some(Part::Found(Found { version, size })) if size <= VALUE_LIMIT as u64 => {
                Ok(Self { version, size, left: size, source: Source::Pieces(Box::new(pieces)) })
            }
            Some(Part::Found(_)) => Err(Status::data_loss("a value is announced that is longer than values are")),
            _ => Err(Status::data_loss("a value comes that was not announced")),
        }
    }

    pub(super) fn whole(value: Bytes) -> Self {
        let size = value.len() as u64;
        Self { version: 0, size, left: size, source: Source::Whole(Some(value)) }
    }

    fn take(&mut self, message: Option<GetResponse>) -> Result<Option<Bytes>, Status> {
        match message.map(|message| message.part) {
            Some(Some(Part::Chunk(chunk))) if !chunk.is_empty() && chunk.len() as u64 <= self.left => {
                self.left -= chunk.len() as u64;
                Ok(Some(chunk))
            }
            None if self.left == 0 => Ok(None),
            None => Err(Status::data_loss("the value is shorter than was announced")),
            Some(_) => Err(Status::data_loss("the value is not what was announced")),
        }
    }
}

impl Stream for Value {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = match &mut self.source {
            Source::Pieces(pieces) => match ready!(Pin::new(pieces).poll_next(cx)).transpose() {
                Ok(message) => self.take(message),
                Err(status) => Err(status),
            },
            Source::Whole(value) => Ok(value.take()),
            Source::Over => Ok(None),
        };
        if !matches!(piece, Ok(Some(_))) {
            self.source = Source::Over;
        }
        Poll::Ready(piece.transpose())
    }
}

#[cfg(test)]
mod tests;
