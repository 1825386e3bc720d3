//! The Store service: its calls, each as what the store does. How values come in, and listings and
//! changes go out, is beside it.

use std::sync::Arc;

use bytes::Bytes;
use kv::store_proto::get_response::Part;
use kv::store_proto::store_server::Store as Served;
use kv::store_proto::{
    DeleteRequest, DeleteResponse, Entry, Found, GetRequest, GetResponse, ListRequest, WatchRequest, WatchResponse,
    WriteRequest, WriteResponse,
};
use kv::{CHUNK_LIMIT, Mismatch, Store, VERSION_TRAILER, Value};
use tokio::sync::Semaphore;
use tonic::codegen::BoxStream;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};

use super::{blocking, listing, named, upload, watch, without_a_value};

pub(crate) struct Service {
    store: Store,
    /// Room for values that are on their way in.
    room: Arc<Semaphore>,
}

impl Service {
    pub(super) fn new(store: Store) -> Self {
        Self { store, room: Arc::new(Semaphore::new(upload::ROOM)) }
    }
}

#[tonic::async_trait]
impl Served for Service {
    type GetStream = BoxStream<GetResponse>;
    type ListStream = BoxStream<Entry>;
    type WatchStream = BoxStream<WatchResponse>;

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        let key = named(request.into_inner().key)?;
        let store = self.store.clone();
        let value = blocking(move || store.get(&key)).await?.ok_or_else(without_a_value)?;
        Ok(Response::new(Box::pin(tokio_stream::iter(parts(value)))))
    }

    async fn put(&self, request: Request<Streaming<WriteRequest>>) -> Result<Response<WriteResponse>, Status> {
        let upload = upload::receive(request.into_inner(), &self.room).await?;
        if upload.expected_version.is_some() {
            return Err(Status::invalid_argument("a put expects no version"));
        }
        let store = self.store.clone();
        let version = blocking(move || store.put(&upload.key, &upload.value)).await?;
        Ok(Response::new(WriteResponse { version }))
    }

    async fn compare_and_swap(
        &self,
        request: Request<Streaming<WriteRequest>>,
    ) -> Result<Response<WriteResponse>, Status> {
        let upload = upload::receive(request.into_inner(), &self.room).await?;
        let Some(expected) = upload.expected_version else {
            return Err(Status::invalid_argument("no version is expected"));
        };
        let store = self.store.clone();
        let swapped = blocking(move || store.compare_and_swap(&upload.key, expected, &upload.value)).await?;
        let version = swapped.map_err(|mismatch| aborted(mismatch, expected))?;
        Ok(Response::new(WriteResponse { version }))
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let key = named(request.into_inner().key)?;
        let store = self.store.clone();
        let existed = blocking(move || store.delete(&key)).await?;
        Ok(Response::new(DeleteResponse { existed }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<Self::ListStream>, Status> {
        let ListRequest { prefix, limit } = request.into_inner();
        let limit = if limit == 0 { u64::MAX } else { limit };
        let store = self.store.clone();
        let listing = blocking(move || store.list(&prefix, limit)).await?;
        Ok(Response::new(listing::send(listing)))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let store = self.store.clone();
        let (version, changes) = blocking(move || store.changes()).await?;
        Ok(Response::new(watch::send(version, changes, request.into_inner().prefix)))
    }
}

/// A value as it is sent: what there is to come, then the pieces, of which none is copied.
fn parts(value: Value) -> impl Iterator<Item = Result<GetResponse, Status>> + Send {
    let Value { version, bytes: mut rest, .. } = value;
    let found = Part::Found(Found { version, size: rest.len() as u64 });
    let chunks = std::iter::from_fn(move || {
        let chunk: Bytes = rest.split_to(rest.len().min(CHUNK_LIMIT));
        (!chunk.is_empty()).then_some(Part::Chunk(chunk))
    });
    std::iter::once(found).chain(chunks).map(|part| Ok(GetResponse { part: Some(part) }))
}

fn aborted(mismatch: Mismatch, expected: u64) -> Status {
    let shown = |version| if version == 0 { "no value".to_owned() } else { format!("version {version}") };
    let message = format!("the key has {}, where {} was expected", shown(mismatch.current), shown(expected));
    let mut trailers = MetadataMap::new();
    trailers.insert(VERSION_TRAILER, mismatch.current.into());
    Status::with_metadata(Code::Aborted, message, trailers)
}
