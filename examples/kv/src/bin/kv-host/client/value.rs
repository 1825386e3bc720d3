//! The stream of a value from a peer. It yields exactly the announced number of bytes, or an error:
//! a plugin cannot make the host buffer or print more.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use kv::limits::VALUE_BYTES;
use kv::store_proto::get_response::Part;
use kv::store_proto::{Found, GetResponse};
use tokio_stream::Stream;
use tonic::{Status, Streaming};

/// A value: its version and size, and a stream of its chunks.
pub(crate) struct ValueStream {
    /// 0 from a peer of protocol version 1, which has no versions.
    pub(crate) version: u64,
    /// The announced size in bytes.
    pub(crate) size: u64,
    /// The announced bytes that have not arrived yet.
    left: u64,
    source: Source,
}

enum Source {
    /// The Store service: one message for each chunk.
    Chunks(Box<Streaming<GetResponse>>),
    /// The KV service: the whole value in one message.
    Whole(Option<Bytes>),
    /// After the end or an error.
    Ended,
}

impl ValueStream {
    /// Waits for the first message, which announces the value.
    pub(super) async fn begin(mut chunks: Streaming<GetResponse>) -> Result<Self, Status> {
        let first = chunks.message().await?.and_then(|message| message.part);
        match first {
            Some(Part::Found(Found { version, size })) if size <= VALUE_BYTES as u64 => {
                Ok(Self { version, size, left: size, source: Source::Chunks(Box::new(chunks)) })
            }
            Some(Part::Found(Found { size, .. })) => {
                let message = format!("the announced size is {size} bytes, at most {VALUE_BYTES} are allowed");
                Err(Status::data_loss(message))
            }
            _ => Err(Status::data_loss("the first message does not announce a value")),
        }
    }

    pub(super) fn whole(value: Bytes) -> Self {
        let size = value.len() as u64;
        Self { version: 0, size, left: size, source: Source::Whole(Some(value)) }
    }

    /// Checks one message against the announcement. `None` is the end of the stream.
    fn take(&mut self, message: Option<GetResponse>) -> Result<Option<Bytes>, Status> {
        match message.map(|message| message.part) {
            Some(Some(Part::Chunk(chunk))) if !chunk.is_empty() && chunk.len() as u64 <= self.left => {
                self.left -= chunk.len() as u64;
                Ok(Some(chunk))
            }
            None if self.left == 0 => Ok(None),
            // A peer can end the stream early and still report success.
            None => Err(Status::data_loss("the value is shorter than announced")),
            Some(_) => Err(Status::data_loss("an empty, oversized or unexpected message in a value")),
        }
    }
}

impl Stream for ValueStream {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = match &mut self.source {
            Source::Chunks(chunks) => match ready!(Pin::new(chunks).poll_next(cx)).transpose() {
                Ok(message) => self.take(message),
                Err(status) => Err(status),
            },
            Source::Whole(value) => Ok(value.take()),
            Source::Ended => Ok(None),
        };
        if !matches!(chunk, Ok(Some(_))) {
            self.source = Source::Ended;
        }
        Poll::Ready(chunk.transpose())
    }
}

#[cfg(test)]
mod tests;
