//! One uploaded value: announced, sent in chunks, committed. Any other sequence is rejected before
//! the store changes.

use std::sync::Arc;

use kv::Key;
use kv::limits::{CHUNK_BYTES, UPLOAD_BUFFER_BYTES, VALUE_BYTES};
use kv::store_proto::write_request::Part;
use kv::store_proto::{Announcement, WriteRequest};
use kv::timing::PLUGIN_UPLOAD_IDLE;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use super::parse_key;

/// The bytes that one permit of the upload memory stands for: a semaphore counts in `u32`.
const UNIT_BYTES: usize = 1024;

/// The memory that all uploads share, as a semaphore.
pub(super) fn upload_memory() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(UPLOAD_BUFFER_BYTES / UNIT_BYTES))
}

/// A complete, committed upload.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) key: Key,
    pub(super) expected_version: Option<u64>,
    pub(super) value: Vec<u8>,
    /// Released when the upload is dropped, after the value was stored.
    _memory: OwnedSemaphorePermit,
}

impl Upload {
    /// Receives one value. Fails immediately if `memory` is exhausted: waiting would leave the
    /// stream unread, and its data would fill the connection's flow-control window (RFC 9113,
    /// section 5.2), which all other calls share.
    pub(super) async fn receive(
        mut parts: impl Stream<Item = Result<WriteRequest, Status>> + Unpin,
        memory: &Arc<Semaphore>,
    ) -> Result<Self, Status> {
        let Part::Announcement(announcement) = next(&mut parts).await? else {
            return Err(Status::invalid_argument("the first message does not announce a value"));
        };
        let Announcement { key, size, expected_version } = announcement;
        let key = parse_key(key)?;
        let size = usize::try_from(size).ok().filter(|size| *size <= VALUE_BYTES);
        let size =
            size.ok_or_else(|| Status::invalid_argument(format!("the value is longer than {VALUE_BYTES} bytes")))?;
        // Reserved before the first chunk: the announced size, which is now bounded, is allocated
        // in one piece below.
        let memory = reserve(memory, size)?;
        let value = receive_value(&mut parts, size).await?;
        Ok(Self { key, expected_version, value, _memory: memory })
    }
}

/// Receives exactly `size` bytes and the commit.
async fn receive_value(
    parts: &mut (impl Stream<Item = Result<WriteRequest, Status>> + Unpin),
    size: usize,
) -> Result<Vec<u8>, Status> {
    let mut value = Vec::with_capacity(size);
    loop {
        match next(parts).await? {
            Part::Announcement(_) => return Err(Status::invalid_argument("a second value is announced")),
            Part::Chunk(chunk) if chunk.is_empty() || chunk.len() > CHUNK_BYTES => {
                let message = format!("a chunk has {} bytes, expected 1 to {CHUNK_BYTES}", chunk.len());
                return Err(Status::invalid_argument(message));
            }
            // Checked before the chunk is appended: `value` never grows past its reservation.
            Part::Chunk(chunk) if chunk.len() > size - value.len() => {
                return Err(Status::invalid_argument("the value is longer than announced"));
            }
            Part::Chunk(chunk) => value.extend_from_slice(&chunk),
            Part::Commit(_) if value.len() < size => {
                return Err(Status::invalid_argument("the value is shorter than announced"));
            }
            Part::Commit(_) => return Ok(value),
        }
    }
}

fn reserve(memory: &Arc<Semaphore>, size: usize) -> Result<OwnedSemaphorePermit, Status> {
    let units = u32::try_from(size.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
    let reserved = Arc::clone(memory).try_acquire_many_owned(units);
    reserved.map_err(|_| Status::resource_exhausted("too many uploads"))
}

/// Receives the next message. The end of the stream is an error: a cancelled stream looks the same
/// as a finished one, so only the commit message ends an upload.
async fn next(parts: &mut (impl Stream<Item = Result<WriteRequest, Status>> + Unpin)) -> Result<Part, Status> {
    let next = tokio::time::timeout(PLUGIN_UPLOAD_IDLE, parts.next()).await;
    let next = next.map_err(|_| {
        Status::deadline_exceeded(format!("no message of the upload arrived for {PLUGIN_UPLOAD_IDLE:?}"))
    })?;
    let next = next.ok_or_else(|| Status::invalid_argument("the upload ended without a commit"))??;
    next.part.ok_or_else(|| Status::invalid_argument("a message is empty"))
}

#[cfg(test)]
mod tests {
    use super::*;

    use kv::store_proto::Commit;

    fn announced(size: u64) -> Part {
        Part::Announcement(Announcement { key: "a".into(), size, expected_version: Some(7) })
    }

    fn chunk(bytes: &'static [u8]) -> Part {
        Part::Chunk(bytes.into())
    }

    async fn received(memory: &Arc<Semaphore>, parts: impl IntoIterator<Item = Part>) -> Result<Upload, String> {
        let parts: Vec<_> = parts.into_iter().map(|part| Ok(WriteRequest { part: Some(part) })).collect();
        Upload::receive(tokio_stream::iter(parts), memory).await.map_err(|status| status.message().to_owned())
    }

    #[tokio::test]
    async fn committed_upload_is_received() {
        let parts = [announced(5), chunk(b"abc"), chunk(b"de"), Part::Commit(Commit {})];
        let upload = received(&upload_memory(), parts).await.unwrap();
        assert_eq!((upload.key.as_str(), upload.expected_version, &upload.value[..]), ("a", Some(7), &b"abcde"[..]));
        let nothing = received(&upload_memory(), [announced(0), Part::Commit(Commit {})]).await.unwrap();
        assert!(nothing.value.is_empty());
    }

    #[tokio::test]
    async fn malformed_upload_is_rejected() {
        static LARGE: [u8; CHUNK_BYTES + 1] = [0; CHUNK_BYTES + 1];
        let commit = || Part::Commit(Commit {});
        let long = Announcement { key: "k".repeat(4097), size: 0, expected_version: None };
        for (parts, fault) in [
            (vec![], "without a commit"),
            (vec![chunk(b"a"), commit()], "does not announce a value"),
            (vec![commit()], "does not announce a value"),
            (vec![announced(3)], "without a commit"),
            (vec![announced(3), chunk(b"abc")], "without a commit"),
            (vec![announced(3), chunk(b"ab"), commit()], "shorter than announced"),
            (vec![announced(3), chunk(b"ab"), chunk(b"cd"), commit()], "longer than announced"),
            (vec![announced(0), chunk(b""), commit()], "a chunk has 0 bytes, expected 1 to 65536"),
            (vec![announced(1 << 20), chunk(&LARGE), commit()], "a chunk has 65537 bytes, expected 1 to 65536"),
            (vec![announced(3), announced(3)], "a second value"),
            (vec![announced(VALUE_BYTES as u64 + 1), commit()], "longer than 67108864 bytes"),
            (vec![announced(u64::MAX), commit()], "longer than 67108864 bytes"),
            (vec![Part::Announcement(Announcement::default()), commit()], "the key is empty"),
            (vec![Part::Announcement(long), commit()], "4097 bytes long, at most 4096"),
        ] {
            let error = received(&upload_memory(), parts.clone()).await.expect_err(fault);
            assert!(error.contains(fault), "{error} for {parts:?}");
        }
    }

    #[tokio::test]
    async fn stream_error_is_not_its_end() {
        let parts = [Ok(WriteRequest { part: Some(announced(0)) }), Err(Status::unavailable("the connection is gone"))];
        let error = Upload::receive(tokio_stream::iter(parts), &upload_memory()).await.unwrap_err();
        assert_eq!(error.message(), "the connection is gone");
    }

    #[tokio::test]
    async fn memory_is_reserved_until_upload_is_dropped() {
        let memory = Arc::new(Semaphore::new(2));
        let parts = || [announced(5), chunk(b"abcde"), Part::Commit(Commit {})];
        let (first, _second) = (received(&memory, parts()).await.unwrap(), received(&memory, parts()).await.unwrap());
        assert!(received(&memory, parts()).await.unwrap_err().contains("too many uploads"));
        drop(first);
        received(&memory, parts()).await.unwrap();
    }
}
