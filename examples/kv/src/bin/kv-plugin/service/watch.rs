//! Changes on their way out, to one watcher. The store never waits for it: a watcher that is too
//! slow is told that it missed some.

use kv::Change;
use kv::store_proto::change::Kind;
use kv::store_proto::watch_response::Event;
use kv::store_proto::{Change as Told, Listening, WatchResponse};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::codegen::BoxStream;

/// Tells of the changes after `version` whose keys start with `prefix`.
pub(super) fn send(version: u64, changes: Receiver<Change>, prefix: String) -> BoxStream<WatchResponse> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        tokio::select! {
            // It may go while nothing changes.
            () = sender.closed() => {}
            missed = send_all(version, changes, &prefix, &sender) => drop(sender.send(Err(missed)).await),
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

/// Returns why it cannot go on.
async fn send_all(
    version: u64,
    mut changes: Receiver<Change>,
    prefix: &str,
    sender: &Sender<Result<WatchResponse, Status>>,
) -> Status {
    let mut event = Some(Event::Listening(Listening { version }));
    loop {
        if let Some(event) = event {
            let _ = sender.send(Ok(WatchResponse { event: Some(event) })).await;
        }
        event = match changes.recv().await {
            Ok(change) => change.key.starts_with(prefix).then(|| Event::Change(told(&change))),
            Err(RecvError::Lagged(missed)) => {
                let message = format!("{missed} changes were missed: list, and watch again");
                return Status::resource_exhausted(message);
            }
            Err(RecvError::Closed) => return Status::unavailable("the store is closed"),
        };
    }
}

fn told(change: &Change) -> Told {
    let kind = if change.size.is_some() { Kind::Put } else { Kind::Delete };
    Told {
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
    async fn a_watcher_that_takes_nothing_is_told_that_it_missed_changes_and_the_store_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let (version, changes) = store.changes().unwrap();
        let mut watched = send(version, changes, String::new());
        for number in 0..1200_u32 {
            store.put(&key("a"), &number.to_le_bytes()).unwrap();
            // The task that sends has its turns.
            tokio::task::yield_now().await;
        }
        let mut told = 0;
        let end = loop {
            match watched.next().await.unwrap() {
                Ok(_) => told += 1,
                Err(status) => break status,
            }
        };
        assert_eq!(end.code(), Code::ResourceExhausted, "{end}");
        assert!(end.message().contains("list, and watch again"), "{end}");
        assert!(told < 1200, "{told} were told and none was missed");
        assert!(watched.next().await.is_none());
    }

    #[tokio::test]
    async fn a_watcher_is_told_of_its_prefix_alone_and_first_from_when_on() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.put(&key("a/1"), b"before").unwrap();
        let (version, changes) = store.changes().unwrap();
        let mut watched = send(version, changes, "a/".into());
        for name in ["b", "a", "a/1"] {
            store.put(&key(name), b"123").unwrap();
        }
        store.delete(&key("a/1")).unwrap();
        let mut next = async || watched.next().await.unwrap().unwrap().event.unwrap();
        assert_eq!(next().await, Event::Listening(Listening { version: 1 }));
        let put = Told { kind: Kind::Put.into(), key: "a/1".into(), version: 4, size: 3 };
        assert_eq!(next().await, Event::Change(put));
        let deleted = Told { kind: Kind::Delete.into(), key: "a/1".into(), version: 5, size: 0 };
        assert_eq!(next().await, Event::Change(deleted));
    }
}
