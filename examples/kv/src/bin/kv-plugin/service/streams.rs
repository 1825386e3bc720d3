//! The response streams of the Store service: a value in chunks, a listing in batches, changes as
//! they happen. A slow receiver holds up only its own stream.

use bytes::Bytes;
use kv::limits::{CHUNK_BYTES, LISTING_BATCH};
use kv::store_proto::change::Kind;
use kv::store_proto::get_response::Part;
use kv::store_proto::watch_response::Event;
use kv::store_proto::{Change as ChangeMessage, Entry, Found, GetResponse, Listening, WatchResponse};
use kv::{Change, Listing, Value};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::codegen::BoxStream;

use super::blocking;

/// Streams a value: its version and size, then its chunks, which share the memory of the value.
pub(super) fn value(value: Value) -> BoxStream<GetResponse> {
    let Value { version, bytes: mut rest, .. } = value;
    let found = Part::Found(Found { version, size: rest.len() as u64 });
    let chunks = std::iter::from_fn(move || {
        let chunk: Bytes = rest.split_to(rest.len().min(CHUNK_BYTES));
        (!chunk.is_empty()).then_some(Part::Chunk(chunk))
    });
    let messages = std::iter::once(found).chain(chunks).map(|part| Ok(GetResponse { part: Some(part) }));
    Box::pin(tokio_stream::iter(messages))
}

/// Streams a listing as fast as the receiver takes it.
pub(super) fn entries(listing: Listing) -> BoxStream<Entry> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        if let Err(status) = send_entries(listing, &sender).await {
            // Fails only if the receiver is gone.
            let _ = sender.send(Err(status)).await;
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

async fn send_entries(mut listing: Listing, sender: &Sender<Result<Entry, Status>>) -> Result<(), Status> {
    loop {
        // The listing moves to the blocking pool and back: reading its next entry may wait for the
        // disk.
        let read = blocking(move || {
            let batch: Vec<_> = listing.by_ref().take(LISTING_BATCH).collect::<Result<_, _>>()?;
            Ok((batch, listing))
        });
        let batch;
        (batch, listing) = read.await?;
        if batch.is_empty() {
            return Ok(());
        }
        for kv::Entry { key, version, size, .. } in batch {
            if sender.send(Ok(Entry { key, version, size })).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Streams the changes after `version` whose keys start with `prefix`. A receiver that falls too
/// far behind gets an error; the store never waits for it.
pub(super) fn changes(version: u64, changes: Receiver<Change>, prefix: String) -> BoxStream<WatchResponse> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        tokio::select! {
            // The receiver may leave while nothing changes, when no send would notice.
            () = sender.closed() => {}
            status = send_changes(version, changes, &prefix, &sender) => drop(sender.send(Err(status)).await),
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

/// Returns the status that ends the stream.
async fn send_changes(
    version: u64,
    mut changes: Receiver<Change>,
    prefix: &str,
    sender: &Sender<Result<WatchResponse, Status>>,
) -> Status {
    let mut event = Some(Event::Listening(Listening { version }));
    loop {
        if let Some(event) = event {
            // Waits while the receiver does not read. Changes collect in the backlog of `changes`,
            // which then reports how many it dropped.
            let _ = sender.send(Ok(WatchResponse { event: Some(event) })).await;
        }
        event = match changes.recv().await {
            Ok(change) => change.key.starts_with(prefix).then(|| Event::Change(message(&change))),
            Err(RecvError::Lagged(lost)) => {
                let message = format!("{lost} changes were lost: list, and watch again");
                return Status::resource_exhausted(message);
            }
            Err(RecvError::Closed) => return Status::unavailable("the store is closed"),
        };
    }
}

fn message(change: &Change) -> ChangeMessage {
    let kind = if change.size.is_some() { Kind::Put } else { Kind::Delete };
    ChangeMessage {
        kind: kind.into(),
        key: change.key.as_ref().into(),
        version: change.version,
        size: change.size.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use kv::{Key, Store};
    use tokio_stream::StreamExt;
    use tonic::Code;

    fn key(text: &str) -> Key {
        text.to_owned().try_into().unwrap()
    }

    #[tokio::test]
    async fn slow_watcher_gets_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (version, receiver) = store.changes().unwrap();
        let mut watched = changes(version, receiver, String::new());
        for number in 0..1200_u32 {
            store.put(&key("a"), &number.to_le_bytes()).unwrap();
            // Lets the sending task run.
            tokio::task::yield_now().await;
        }
        let mut received = 0;
        let end = loop {
            match watched.next().await.unwrap() {
                Ok(_) => received += 1,
                Err(status) => break status,
            }
        };
        assert_eq!(end.code(), Code::ResourceExhausted, "{end}");
        assert!(end.message().contains("list, and watch again"), "{end}");
        assert!(received < 1200, "{received} changes arrived and none was lost");
        assert!(watched.next().await.is_none());
    }

    #[tokio::test]
    async fn watch_starts_with_version_and_filters_prefix() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.put(&key("a/1"), b"before").unwrap();
        let (version, receiver) = store.changes().unwrap();
        let mut watched = changes(version, receiver, "a/".into());
        for name in ["b", "a", "a/1"] {
            store.put(&key(name), b"123").unwrap();
        }
        store.delete(&key("a/1")).unwrap();
        let mut next = async || watched.next().await.unwrap().unwrap().event.unwrap();
        assert_eq!(next().await, Event::Listening(Listening { version: 1 }));
        let put = ChangeMessage { kind: Kind::Put.into(), key: "a/1".into(), version: 4, size: 3 };
        assert_eq!(next().await, Event::Change(put));
        let deleted = ChangeMessage { kind: Kind::Delete.into(), key: "a/1".into(), version: 5, size: 0 };
        assert_eq!(next().await, Event::Change(deleted));
    }
}
