//! The Store service of a serving host: passes each call on to the plugin, and streams values both
//! ways without keeping them. Knows nothing of sockets.

use std::sync::Arc;

use kv::limits::{CONCURRENT_READS, CONCURRENT_WRITES, WATCHERS};
use kv::store_proto::get_response::Part as GetPart;
use kv::store_proto::store_server::Store;
use kv::store_proto::write_request::Part;
use kv::store_proto::{
    Announcement, DeleteRequest, DeleteResponse, Entry, Found, GetRequest, GetResponse, ListRequest, WatchRequest,
    WatchResponse, WriteRequest, WriteResponse,
};
use kv::timing::HOST_UPLOAD_IDLE;
use tokio::sync::mpsc::{self, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use super::relay::Relay;
use crate::client::{CallError, Client, GrpcChannel};
use crate::error::sanitize;

/// Passes calls to the plugin through one client.
pub(super) struct StoreProxy<C> {
    client: Client<C>,
    permits: CallPermits,
    stop: CancellationToken,
}

/// Bounds the calls of each kind that run concurrently at the plugin. Further readers and writers
/// wait here, where they use no flow-control window of the connection that all calls share.
struct CallPermits {
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
    watches: Arc<Semaphore>,
}

impl CallPermits {
    fn new() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { reads: semaphore(CONCURRENT_READS), writes: semaphore(CONCURRENT_WRITES), watches: semaphore(WATCHERS) }
    }

    async fn read(&self) -> Result<OwnedSemaphorePermit, Status> {
        Self::wait(&self.reads).await
    }

    async fn write(&self) -> Result<OwnedSemaphorePermit, Status> {
        Self::wait(&self.writes).await
    }

    /// Fails if there are too many watchers: a watch has no end to wait for.
    fn watch(&self) -> Result<OwnedSemaphorePermit, Status> {
        let permit = Arc::clone(&self.watches).try_acquire_owned();
        permit.map_err(|_| Status::resource_exhausted(format!("too many watchers, at most {WATCHERS} are served")))
    }

    async fn wait(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Status> {
        let permit = Arc::clone(semaphore).acquire_owned().await;
        permit.map_err(|_| Status::unavailable("the host is shutting down"))
    }
}

impl<C: GrpcChannel> StoreProxy<C> {
    pub(super) fn new(client: Client<C>, stop: CancellationToken) -> Self {
        Self { client, permits: CallPermits::new(), stop }
    }

    /// Streams an upload to the plugin. The commit message comes from the caller and never from
    /// the host, so the plugin never stores an upload that broke off here.
    async fn write(
        &self,
        mut parts: Streaming<WriteRequest>,
        is_swap: bool,
    ) -> Result<Response<WriteResponse>, Status> {
        // The permit comes before the first message: a waiting caller is not read from.
        let _permit = self.permits.write().await?;
        let Some(Part::Announcement(first)) = next(&mut parts).await?.and_then(|first| first.part) else {
            return Err(Status::invalid_argument("the first message does not announce a value"));
        };
        check(&first, is_swap)?;
        let (sender, rest) = mpsc::channel(1);
        let write = self.client.write(first, ReceiverStream::new(rest));
        tokio::pin!(write);
        let answer = tokio::select! {
            // The plugin may reject the upload before the caller has sent all of it.
            answer = &mut write => answer,
            sent = send(parts, sender) => match sent {
                // `send` dropped its sender, so the plugin sees the end of the stream.
                Ok(()) => write.await,
                Err(status) => return Err(status),
            },
        };
        Ok(Response::new(WriteResponse { version: answer.map_err(status)? }))
    }
}

/// The announcement decides which call the client makes, so it must match the caller's call.
fn check(first: &Announcement, is_swap: bool) -> Result<(), Status> {
    match (is_swap, first.expected_version) {
        (true, None) => Err(Status::invalid_argument("`expected_version` must be set in a swap")),
        (false, Some(_)) => Err(Status::invalid_argument("`expected_version` must not be set in a put")),
        _ => Ok(()),
    }
}

async fn next(parts: &mut Streaming<WriteRequest>) -> Result<Option<WriteRequest>, Status> {
    timeout(HOST_UPLOAD_IDLE, parts.message())
        .await
        .map_err(|_| Status::deadline_exceeded(format!("no message of the upload arrived for {HOST_UPLOAD_IDLE:?}")))?
}

async fn send(mut parts: Streaming<WriteRequest>, sender: Sender<WriteRequest>) -> Result<(), Status> {
    while let Some(part) = next(&mut parts).await? {
        // Fails when the plugin has ended the call early; `write` then has its answer.
        if sender.send(part).await.is_err() {
            break;
        }
    }
    Ok(())
}

#[tonic::async_trait]
impl<C: GrpcChannel> Store for StoreProxy<C> {
    type GetStream = BoxStream<GetResponse>;
    type ListStream = BoxStream<Entry>;
    type WatchStream = BoxStream<WatchResponse>;

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        // The relay keeps the permit until it has read the whole value from the plugin.
        let permit = self.permits.read().await?;
        let value = self.client.get(request.into_inner().key).await.map_err(status)?;
        let found = GetPart::Found(Found { version: value.version, size: value.size });
        let parts = tokio_stream::once(Ok(found)).chain(value.map(|piece| piece.map(GetPart::Chunk)));
        let messages = sanitized(parts.map(|part| part.map(|part| GetResponse { part: Some(part) })));
        Ok(Response::new(Box::pin(Relay::with_backpressure(messages, permit))))
    }

    async fn put(&self, request: Request<Streaming<WriteRequest>>) -> Result<Response<WriteResponse>, Status> {
        self.write(request.into_inner(), false).await
    }

    async fn compare_and_swap(
        &self,
        request: Request<Streaming<WriteRequest>>,
    ) -> Result<Response<WriteResponse>, Status> {
        self.write(request.into_inner(), true).await
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let _permit = self.permits.write().await?;
        let existed = self.client.delete(request.into_inner().key).await.map_err(status)?;
        Ok(Response::new(DeleteResponse { existed }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<Self::ListStream>, Status> {
        let permit = self.permits.read().await?;
        let ListRequest { prefix, limit } = request.into_inner();
        let entries = self.client.list(prefix, limit).await.map_err(status)?;
        Ok(Response::new(Box::pin(Relay::with_backpressure(sanitized(entries), permit))))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let permit = self.permits.watch()?;
        let changes = self.client.watch(request.into_inner().prefix).await.map_err(status)?;
        Ok(Response::new(Box::pin(Relay::without_backpressure(sanitized(changes), permit, self.stop.clone()))))
    }
}

fn sanitized<T>(messages: impl Stream<Item = Result<T, Status>>) -> impl Stream<Item = Result<T, Status>> {
    messages.map(|message| message.map_err(|status| sanitize(&status)))
}

/// The status that a caller gets for a failed call to the plugin.
fn status(error: CallError) -> Status {
    match error {
        CallError::Status(status) => sanitize(&status),
        CallError::Version { .. } => Status::unimplemented(error.to_string()),
        CallError::Arguments(error) => Status::internal(error.to_string()),
    }
}
