//! A response stream from the plugin to one caller. A task reads from the plugin, so a caller that
//! stops reading is noticed and its permit is released.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use kv::limits::{RELAY_CHANGES, RELAY_MESSAGES};
use kv::timing::RESPONSE_IDLE;
use tokio::sync::mpsc::{self, Sender, error::TrySendError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// The caller's end: messages, then the status that ended them.
///
/// The status has its own channel. In the queue of messages it would need a free slot, and a
/// caller that does not read leaves none.
pub(super) struct Relay<T> {
    messages: mpsc::Receiver<T>,
    /// `None` after the status was delivered.
    end: Option<oneshot::Receiver<Result<(), Status>>>,
}

impl<T: Send + 'static> Relay<T> {
    /// Reads from `source` only as fast as the caller takes messages. Fails if the caller takes
    /// none for [`RESPONSE_IDLE`]. Releases `permit` when the relay stops reading from the plugin.
    pub(super) fn with_backpressure(
        source: impl Stream<Item = Result<T, Status>> + Send + Unpin + 'static,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self::start(RELAY_MESSAGES, permit, |sender| send_all(source, sender))
    }

    /// Reads from `source` as fast as messages arrive, until `stop`. Fails if more than
    /// [`RELAY_CHANGES`] wait for the caller: a slow watcher never holds up the plugin.
    pub(super) fn without_backpressure(
        source: impl Stream<Item = Result<T, Status>> + Send + Unpin + 'static,
        permit: OwnedSemaphorePermit,
        stop: CancellationToken,
    ) -> Self {
        Self::start(RELAY_CHANGES, permit, |sender| async move {
            tokio::select! {
                end = send_or_fail(source, sender) => end,
                // A watch is endless, and a stopping server waits for its running calls.
                () = stop.cancelled() => Err(Status::unavailable("the host is shutting down")),
            }
        })
    }

    fn start<F>(capacity: usize, permit: OwnedSemaphorePermit, task: impl FnOnce(Sender<T>) -> F) -> Self
    where
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let (sender, messages) = mpsc::channel(capacity);
        let (ended, end) = oneshot::channel();
        let task = task(sender);
        tokio::spawn(async move {
            let end = task.await;
            // The stream from the plugin is closed now. The caller still has to read the queue and
            // must not hold the permit for that.
            drop(permit);
            // Fails only if the caller is gone.
            let _ = ended.send(end);
        });
        Self { messages, end: Some(end) }
    }
}

async fn send_all<T>(
    mut source: impl Stream<Item = Result<T, Status>> + Unpin,
    sender: Sender<T>,
) -> Result<(), Status> {
    while let Some(message) = next(&mut source, &sender).await? {
        match timeout(RESPONSE_IDLE, sender.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ok(()),
            Err(_) => {
                let message = format!("the caller read nothing for {RESPONSE_IDLE:?}");
                return Err(Status::deadline_exceeded(message));
            }
        }
    }
    Ok(())
}

async fn send_or_fail<T>(
    mut source: impl Stream<Item = Result<T, Status>> + Unpin,
    sender: Sender<T>,
) -> Result<(), Status> {
    while let Some(message) = next(&mut source, &sender).await? {
        match sender.try_send(message) {
            Ok(()) => {}
            Err(TrySendError::Closed(_)) => return Ok(()),
            Err(TrySendError::Full(_)) => {
                return Err(Status::resource_exhausted("changes were lost: list, and watch again"));
            }
        }
    }
    Ok(())
}

/// The next message of `source`; `None` at its end, or once the caller is gone. Without the second
/// case, a relay of a silent source would outlive its caller and keep the permit.
async fn next<T>(
    source: &mut (impl Stream<Item = Result<T, Status>> + Unpin),
    sender: &Sender<T>,
) -> Result<Option<T>, Status> {
    tokio::select! {
        () = sender.closed() => Ok(None),
        message = source.next() => message.transpose(),
    }
}

impl<T> Stream for Relay<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = ready!(self.messages.poll_recv(cx)) {
            return Poll::Ready(Some(Ok(message)));
        }
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let end = ready!(Pin::new(end).poll(cx));
        // A oneshot receiver must not be polled again after it returned its value.
        self.end = None;
        Poll::Ready(match end {
            Ok(Ok(())) => None,
            Ok(Err(status)) => Some(Err(status)),
            Err(_) => Some(Err(Status::internal("the relay task panicked"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use tokio::sync::Semaphore;
    use tonic::Code;

    fn permit() -> (Arc<Semaphore>, OwnedSemaphorePermit) {
        let permits = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&permits).try_acquire_owned().unwrap();
        (permits, permit)
    }

    async fn drain<T>(mut relay: Relay<T>) -> (usize, Option<Code>) {
        let mut messages = 0;
        loop {
            match relay.next().await {
                Some(Ok(_)) => messages += 1,
                Some(Err(status)) => return (messages, Some(status.code())),
                None => return (messages, None),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stalled_caller_releases_its_permit_and_fails() {
        let (permits, permit) = permit();
        let relay = Relay::with_backpressure(tokio_stream::iter((0..100).map(Ok)), permit);
        let _next = permits.acquire().await.unwrap();
        assert_eq!(drain(relay).await, (RELAY_MESSAGES, Some(Code::DeadlineExceeded)));
    }

    #[tokio::test]
    async fn reading_caller_gets_every_message() {
        let (_permits, permit) = permit();
        assert_eq!(drain(Relay::with_backpressure(tokio_stream::iter((0..100).map(Ok)), permit)).await, (100, None));
    }

    #[tokio::test]
    async fn error_follows_earlier_messages() {
        let (_permits, permit) = permit();
        let source = [Ok(1), Ok(2), Err(Status::data_loss("broken"))];
        assert_eq!(
            drain(Relay::with_backpressure(tokio_stream::iter(source), permit)).await,
            (2, Some(Code::DataLoss))
        );
    }

    #[tokio::test]
    async fn departed_caller_releases_its_permit() {
        let (permits, permit) = permit();
        drop(Relay::with_backpressure(tokio_stream::pending::<Result<(), Status>>(), permit));
        let _next = permits.acquire().await.unwrap();
    }

    #[tokio::test]
    async fn stalled_watcher_never_blocks_the_plugin() {
        let (permits, permit) = permit();
        let source = tokio_stream::iter((0..RELAY_CHANGES + 1).map(Ok));
        let relay = Relay::without_backpressure(source, permit, CancellationToken::new());
        let _next = permits.acquire().await.unwrap();
        assert_eq!(drain(relay).await, (RELAY_CHANGES, Some(Code::ResourceExhausted)));
    }

    #[tokio::test]
    async fn shutdown_ends_a_watch() {
        let (_permits, permit) = permit();
        let stop = CancellationToken::new();
        let relay = Relay::without_backpressure(tokio_stream::pending::<Result<(), Status>>(), permit, stop.clone());
        stop.cancel();
        assert_eq!(drain(relay).await, (0, Some(Code::Unavailable)));
    }
}
