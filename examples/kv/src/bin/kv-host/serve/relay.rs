//! Messages from the plugin to one caller, in a task of their own: it sees that a caller takes
//! nothing, when nobody asks for the next message.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::mpsc::{self, Sender, error::TrySendError};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::lanes::Place;

/// How many messages may wait for a caller.
const MESSAGES: usize = 4;

/// How many changes may wait for a watcher.
const CHANGES: usize = 256;

/// How long a caller may take nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a caller gets: messages, then what ended them.
pub(super) struct Relayed<T> {
    messages: mpsc::Receiver<T>,
    /// `None` when it was told.
    end: Option<oneshot::Receiver<Result<(), Status>>>,
}

/// Relays what comes from `source` as fast as the caller takes it. Keeps `place` no longer than the
/// plugin is read from.
pub(super) fn patiently<T: Send + 'static>(
    source: impl Stream<Item = Result<T, Status>> + Send + Unpin + 'static,
    place: Place,
) -> Relayed<T> {
    relay(MESSAGES, place, |sender| pump(source, sender))
}

/// Relays what comes from `source` as fast as it comes, until `stop`. A caller that is too slow for
/// that is told so.
pub(super) fn at_once<T: Send + 'static>(
    source: impl Stream<Item = Result<T, Status>> + Send + Unpin + 'static,
    place: Place,
    stop: CancellationToken,
) -> Relayed<T> {
    relay(CHANGES, place, |sender| async move {
        tokio::select! {
            end = spill(source, sender) => end,
            () = stop.cancelled() => Err(Status::unavailable("the host is shutting down")),
        }
    })
}

fn relay<T, F>(room: usize, place: Place, pump: impl FnOnce(Sender<T>) -> F) -> Relayed<T>
where
    F: Future<Output = Result<(), Status>> + Send + 'static,
{
    let (sender, messages) = mpsc::channel(room);
    let (told, end) = oneshot::channel();
    let pump = pump(sender);
    tokio::spawn(async move {
        let end = pump.await;
        drop(place);
        // The caller may be gone.
        let _ = told.send(end);
    });
    Relayed { messages, end: Some(end) }
}

async fn pump<T>(mut source: impl Stream<Item = Result<T, Status>> + Unpin, sender: Sender<T>) -> Result<(), Status> {
    loop {
        let message = tokio::select! {
            () = sender.closed() => return Ok(()),
            message = source.next() => message,
        };
        let Some(message) = message else { return Ok(()) };
        match timeout(PATIENCE, sender.send(message?)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ok(()),
            Err(_) => return Err(Status::deadline_exceeded(format!("nothing was taken for {PATIENCE:?}"))),
        }
    }
}

async fn spill<T>(mut source: impl Stream<Item = Result<T, Status>> + Unpin, sender: Sender<T>) -> Result<(), Status> {
    loop {
        let message = tokio::select! {
            () = sender.closed() => return Ok(()),
            message = source.next() => message,
        };
        let Some(message) = message else { return Ok(()) };
        match sender.try_send(message?) {
            Ok(()) => {}
            Err(TrySendError::Closed(_)) => return Ok(()),
            Err(TrySendError::Full(_)) => {
                return Err(Status::resource_exhausted("changes were missed: list, and watch again"));
            }
        }
    }
}

impl<T> Stream for Relayed<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = ready!(self.messages.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(message)));
        }
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let end = ready!(Pin::new(end).poll(cx));
        self.end = None;
        Poll::Ready(match end {
            Ok(Ok(())) => None,
            Ok(Err(status)) => Some(Err(status)),
            Err(_) => Some(Err(Status::internal("a task of the host failed"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use tokio::sync::Semaphore;
    use tonic::Code;

    fn place() -> (Arc<Semaphore>, Place) {
        let lane = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&lane).try_acquire_owned().unwrap();
        (lane, place)
    }

    async fn told<T>(mut relayed: Relayed<T>) -> (usize, Option<Code>) {
        let mut messages = 0;
        loop {
            match relayed.next().await {
                Some(Ok(_)) => messages += 1,
                Some(Err(status)) => return (messages, Some(status.code())),
                None => return (messages, None),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_takes_nothing_gives_its_place_back_and_is_told_that_something_is_missing() {
        let (lane, place) = place();
        let relayed = patiently(tokio_stream::iter((0..100).map(Ok)), place);
        let _next = lane.acquire().await.unwrap();
        assert_eq!(told(relayed).await, (MESSAGES, Some(Code::DeadlineExceeded)));
    }

    #[tokio::test]
    async fn a_caller_that_takes_everything_gets_everything() {
        let (_lane, place) = place();
        assert_eq!(told(patiently(tokio_stream::iter((0..100).map(Ok)), place)).await, (100, None));
    }

    #[tokio::test]
    async fn an_error_comes_after_what_came_before_it() {
        let (_lane, place) = place();
        let source = [Ok(1), Ok(2), Err(Status::data_loss("broken"))];
        assert_eq!(told(patiently(tokio_stream::iter(source), place)).await, (2, Some(Code::DataLoss)));
    }

    #[tokio::test]
    async fn a_caller_that_went_gives_its_place_back_though_nothing_comes() {
        let (lane, place) = place();
        drop(patiently(tokio_stream::pending::<Result<(), Status>>(), place));
        let _next = lane.acquire().await.unwrap();
    }

    #[tokio::test]
    async fn a_watcher_that_takes_nothing_never_keeps_the_plugin_waiting() {
        let (lane, place) = place();
        let source = tokio_stream::iter((0..CHANGES + 1).map(Ok));
        let relayed = at_once(source, place, CancellationToken::new());
        let _next = lane.acquire().await.unwrap();
        assert_eq!(told(relayed).await, (CHANGES, Some(Code::ResourceExhausted)));
    }

    #[tokio::test]
    async fn a_watcher_is_told_that_the_host_shuts_down() {
        let (_lane, place) = place();
        let stop = CancellationToken::new();
        let relayed = at_once(tokio_stream::pending::<Result<(), Status>>(), place, stop.clone());
        stop.cancel();
        assert_eq!(told(relayed).await, (0, Some(Code::Unavailable)));
    }
}
