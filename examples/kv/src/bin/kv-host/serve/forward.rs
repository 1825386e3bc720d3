//! The Store service of a host: each call is made to the plugin, both ways in pieces. Keeps no
//! value, and knows nothing of sockets.

use std::time::Duration;

use kv::store_proto::get_response::Part as GetPart;
use kv::store_proto::store_server::Store;
use kv::store_proto::write_request::Part;
use kv::store_proto::{
    Announcement, DeleteRequest, DeleteResponse, Entry, Found, GetRequest, GetResponse, ListRequest, WatchRequest,
    WatchResponse, WriteRequest, WriteResponse,
};
use tokio::sync::mpsc::{self, Sender};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use super::lanes::Lanes;
use super::relay::{at_once, patiently};
use crate::caller::{CallError, Caller, Calls};
use crate::fault::passed_on;

/// How long a caller may take for the next piece of a value: others may be waiting for its place.
const PIECE_WAIT: Duration = Duration::from_secs(30);

pub(super) struct Forward<C> {
    caller: Caller<C>,
    lanes: Lanes,
    stop: CancellationToken,
}

impl<C: Calls> Forward<C> {
    pub(super) fn new(caller: Caller<C>, stop: CancellationToken) -> Self {
        Self { caller, lanes: Lanes::new(), stop }
    }

    /// A value from a caller to the plugin. Only the caller's own commit reaches the plugin, so
    /// that what breaks off here is never stored.
    async fn write(
        &self,
        mut parts: Streaming<WriteRequest>,
        is_swap: bool,
    ) -> Result<Response<WriteResponse>, Status> {
        let _place = self.lanes.writer().await?;
        let Some(Part::Announcement(first)) = next(&mut parts).await?.and_then(|first| first.part) else {
            return Err(Status::invalid_argument("a value comes before it was announced"));
        };
        check(&first, is_swap)?;
        let (sender, rest) = mpsc::channel(1);
        let write = self.caller.write(first, ReceiverStream::new(rest));
        tokio::pin!(write);
        let answer = tokio::select! {
            // The plugin may refuse before everything came.
            answer = &mut write => answer,
            sent = send(parts, sender) => match sent {
                Ok(()) => write.await,
                Err(status) => return Err(status),
            },
        };
        Ok(Response::new(WriteResponse { version: answer.map_err(answered)? }))
    }
}

/// Which of the two calls it is must be known before it is made.
fn check(first: &Announcement, is_swap: bool) -> Result<(), Status> {
    match (is_swap, first.expected_version) {
        (true, None) => Err(Status::invalid_argument("no version is expected")),
        (false, Some(_)) => Err(Status::invalid_argument("a put expects no version")),
        _ => Ok(()),
    }
}

async fn next(parts: &mut Streaming<WriteRequest>) -> Result<Option<WriteRequest>, Status> {
    let next = timeout(PIECE_WAIT, parts.message()).await;
    next.map_err(|_| Status::deadline_exceeded("the next piece of the value did not come in time"))?
}

async fn send(mut parts: Streaming<WriteRequest>, sender: Sender<WriteRequest>) -> Result<(), Status> {
    while let Some(part) = next(&mut parts).await? {
        if sender.send(part).await.is_err() {
            break;
        }
    }
    Ok(())
}

#[tonic::async_trait]
impl<C: Calls> Store for Forward<C> {
    type GetStream = BoxStream<GetResponse>;
    type ListStream = BoxStream<Entry>;
    type WatchStream = BoxStream<WatchResponse>;

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        let place = self.lanes.reader().await?;
        let value = self.caller.get(request.into_inner().key).await.map_err(answered)?;
        let found = GetPart::Found(Found { version: value.version, size: value.size });
        let parts = tokio_stream::once(Ok(found)).chain(value.map(|piece| piece.map(GetPart::Chunk)));
        let messages = relayable(parts.map(|part| part.map(|part| GetResponse { part: Some(part) })));
        Ok(Response::new(Box::pin(patiently(messages, place))))
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
        let _place = self.lanes.writer().await?;
        let existed = self.caller.delete(request.into_inner().key).await.map_err(answered)?;
        Ok(Response::new(DeleteResponse { existed }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<Self::ListStream>, Status> {
        let place = self.lanes.reader().await?;
        let ListRequest { prefix, limit } = request.into_inner();
        let entries = self.caller.list(prefix, limit).await.map_err(answered)?;
        Ok(Response::new(Box::pin(patiently(relayable(entries), place))))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let place = self.lanes.watcher()?;
        let changes = self.caller.watch(request.into_inner().prefix).await.map_err(answered)?;
        Ok(Response::new(Box::pin(at_once(relayable(changes), place, self.stop.clone()))))
    }
}

fn relayable<T>(messages: impl Stream<Item = Result<T, Status>>) -> impl Stream<Item = Result<T, Status>> {
    messages.map(|message| message.map_err(|status| passed_on(&status)))
}

/// What a caller is told when the plugin has no result.
fn answered(error: CallError) -> Status {
    match error {
        CallError::Answered(status) => passed_on(&status),
        CallError::Version { .. } => Status::unimplemented(error.to_string()),
        CallError::Arguments(fault) => Status::internal(fault.to_string()),
    }
}
