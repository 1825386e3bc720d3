//! A value on its way in: announced, in pieces, committed. Whatever is not exactly that is refused
//! before anything is stored.

use std::sync::Arc;
use std::time::Duration;

use kv::store_proto::write_request::Part;
use kv::store_proto::{Announcement, WriteRequest};
use kv::{CHUNK_LIMIT, Key, VALUE_LIMIT};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use super::named;

/// How much memory values on their way in may take together, in units.
pub(super) const ROOM: usize = 4 * VALUE_LIMIT / UNIT;
const UNIT: usize = 1024;

/// How long the next piece of a value may take: room is held meanwhile. Longer than a host that
/// passes on what others send waits for them.
const PIECE_WAIT: Duration = Duration::from_secs(60);

/// A value that came whole.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) key: Key,
    pub(super) expected_version: Option<u64>,
    pub(super) value: Vec<u8>,
    /// Until it is stored.
    _room: OwnedSemaphorePermit,
}

/// Takes in one value. Never leaves the pieces unread for want of room: other calls on the
/// connection would wait for them.
pub(super) async fn receive(
    mut parts: impl Stream<Item = Result<WriteRequest, Status>> + Unpin,
    room: &Arc<Semaphore>,
) -> Result<Upload, Status> {
    let Part::Announcement(announcement) = next(&mut parts).await? else {
        return Err(Status::invalid_argument("a value comes before it was announced"));
    };
    let Announcement { key, size, expected_version } = announcement;
    let key = named(key)?;
    let size = usize::try_from(size).ok().filter(|size| *size <= VALUE_LIMIT);
    let size = size.ok_or_else(|| Status::invalid_argument(format!("the value is longer than {VALUE_LIMIT} bytes")))?;
    let room = reserve(room, size)?;
    let mut value = Vec::with_capacity(size);
    loop {
        match next(&mut parts).await? {
            Part::Announcement(_) => return Err(Status::invalid_argument("a second value is announced")),
            Part::Chunk(chunk) if chunk.is_empty() || chunk.len() > CHUNK_LIMIT => {
                return Err(Status::invalid_argument(format!("a chunk does not have 1 to {CHUNK_LIMIT} bytes")));
            }
            Part::Chunk(chunk) if chunk.len() > size - value.len() => {
                return Err(Status::invalid_argument("the value is longer than was announced"));
            }
            Part::Chunk(chunk) => value.extend_from_slice(&chunk),
            Part::Commit(_) if value.len() < size => {
                return Err(Status::invalid_argument("the value is shorter than was announced"));
            }
            Part::Commit(_) => return Ok(Upload { key, expected_version, value, _room: room }),
        }
    }
}

fn reserve(room: &Arc<Semaphore>, size: usize) -> Result<OwnedSemaphorePermit, Status> {
    let units = u32::try_from(size.div_ceil(UNIT)).unwrap_or(u32::MAX);
    let reserved = Arc::clone(room).try_acquire_many_owned(units);
    reserved.map_err(|_| Status::resource_exhausted("too many values are on their way in"))
}

/// The end of the stream is none of its parts: a stream that was cancelled looks just like one that
/// ended.
async fn next(parts: &mut (impl Stream<Item = Result<WriteRequest, Status>> + Unpin)) -> Result<Part, Status> {
    let next = tokio::time::timeout(PIECE_WAIT, parts.next()).await;
    let next = next.map_err(|_| Status::deadline_exceeded("the next piece of the value did not come in time"))?;
    let next = next.ok_or_else(|| Status::invalid_argument("the value was not committed"))??;
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

    async fn received(room: &Arc<Semaphore>, parts: impl IntoIterator<Item = Part>) -> Result<Upload, String> {
        let parts: Vec<_> = parts.into_iter().map(|part| Ok(WriteRequest { part: Some(part) })).collect();
        receive(tokio_stream::iter(parts), room).await.map_err(|status| status.message().to_owned())
    }

    fn room() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(ROOM))
    }

    #[tokio::test]
    async fn what_was_announced_and_committed_is_taken() {
        let parts = [announced(5), chunk(b"abc"), chunk(b"de"), Part::Commit(Commit {})];
        let upload = received(&room(), parts).await.unwrap();
        assert_eq!((upload.key.as_str(), upload.expected_version, &upload.value[..]), ("a", Some(7), &b"abcde"[..]));
        let nothing = received(&room(), [announced(0), Part::Commit(Commit {})]).await.unwrap();
        assert!(nothing.value.is_empty());
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        static LARGE: [u8; CHUNK_LIMIT + 1] = [0; CHUNK_LIMIT + 1];
        let commit = || Part::Commit(Commit {});
        let long = Announcement { key: "k".repeat(4097), size: 0, expected_version: None };
        for (parts, fault) in [
            (vec![], "not committed"),
            (vec![chunk(b"a"), commit()], "before it was announced"),
            (vec![commit()], "before it was announced"),
            (vec![announced(3)], "not committed"),
            (vec![announced(3), chunk(b"abc")], "not committed"),
            (vec![announced(3), chunk(b"ab"), commit()], "shorter than was announced"),
            (vec![announced(3), chunk(b"ab"), chunk(b"cd"), commit()], "longer than was announced"),
            (vec![announced(0), chunk(b""), commit()], "does not have 1 to 65536 bytes"),
            (vec![announced(1 << 20), chunk(&LARGE), commit()], "does not have 1 to 65536 bytes"),
            (vec![announced(3), announced(3)], "a second value"),
            (vec![announced(VALUE_LIMIT as u64 + 1), commit()], "longer than 67108864 bytes"),
            (vec![announced(u64::MAX), commit()], "longer than 67108864 bytes"),
            (vec![Part::Announcement(Announcement::default()), commit()], "the key is empty"),
            (vec![Part::Announcement(long), commit()], "4097 bytes, more than 4096"),
        ] {
            let error = received(&room(), parts.clone()).await.expect_err(fault);
            assert!(error.contains(fault), "{error} for {parts:?}");
        }
    }

    #[tokio::test]
    async fn an_error_of_the_stream_is_not_its_end() {
        let parts = [Ok(WriteRequest { part: Some(announced(0)) }), Err(Status::unavailable("the connection is gone"))];
        let error = receive(tokio_stream::iter(parts), &room()).await.unwrap_err();
        assert_eq!(error.message(), "the connection is gone");
    }

    #[tokio::test]
    async fn room_is_taken_until_a_value_is_stored_and_given_back() {
        let room = Arc::new(Semaphore::new(2));
        let parts = || [announced(5), chunk(b"abcde"), Part::Commit(Commit {})];
        let (first, _second) = (received(&room, parts()).await.unwrap(), received(&room, parts()).await.unwrap());
        assert!(received(&room, parts()).await.unwrap_err().contains("too many values"));
        drop(first);
        received(&room, parts()).await.unwrap();
    }
}
