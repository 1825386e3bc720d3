//! The Store service: maps each call to one store operation. Uploads are in `upload`, response
//! streams in `streams`.

use std::sync::Arc;

use kv::store_proto::store_server::Store as StoreCalls;
use kv::store_proto::{
    DeleteRequest, DeleteResponse, Entry, GetRequest, GetResponse, ListRequest, WatchRequest, WatchResponse,
    WriteRequest, WriteResponse,
};
use kv::{Mismatch, Store, VERSION_TRAILER};
use tokio::sync::Semaphore;
use tonic::codegen::BoxStream;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status, Streaming};

use super::upload::{Upload, upload_memory};
use super::{blocking, no_value, parse_key, streams};

pub(crate) struct StoreService {
    store: Store,
    /// Memory for uploads that are not stored yet.
    upload_memory: Arc<Semaphore>,
}

impl StoreService {
    pub(super) fn new(store: Store) -> Self {
        Self { store, upload_memory: upload_memory() }
    }
}

#[tonic::async_trait]
impl StoreCalls for StoreService {
    type GetStream = BoxStream<GetResponse>;
    type ListStream = BoxStream<Entry>;
    type WatchStream = BoxStream<WatchResponse>;

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Self::GetStream>, Status> {
        let key = parse_key(request.into_inner().key)?;
        let store = self.store.clone();
        let value = blocking(move || store.get(&key)).await?.ok_or_else(no_value)?;
        Ok(Response::new(streams::value(value)))
    }

    async fn put(&self, request: Request<Streaming<WriteRequest>>) -> Result<Response<WriteResponse>, Status> {
        let upload = Upload::receive(request.into_inner(), &self.upload_memory).await?;
        // Rejected, not ignored: the caller meant a swap, and a put would overwrite any version.
        if upload.expected_version.is_some() {
            return Err(Status::invalid_argument("`expected_version` must not be set in a put"));
        }
        let store = self.store.clone();
        let version = blocking(move || store.put(&upload.key, &upload.value)).await?;
        Ok(Response::new(WriteResponse { version }))
    }

    async fn compare_and_swap(
        &self,
        request: Request<Streaming<WriteRequest>>,
    ) -> Result<Response<WriteResponse>, Status> {
        let upload = Upload::receive(request.into_inner(), &self.upload_memory).await?;
        let Some(expected) = upload.expected_version else {
            return Err(Status::invalid_argument("`expected_version` must be set in a swap"));
        };
        let store = self.store.clone();
        let swapped = blocking(move || store.compare_and_swap(&upload.key, expected, &upload.value)).await?;
        let version = swapped.map_err(|mismatch| aborted(mismatch, expected))?;
        Ok(Response::new(WriteResponse { version }))
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let key = parse_key(request.into_inner().key)?;
        let store = self.store.clone();
        let existed = blocking(move || store.delete(&key)).await?;
        Ok(Response::new(DeleteResponse { existed }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<Self::ListStream>, Status> {
        let ListRequest { prefix, limit } = request.into_inner();
        // proto3 cannot tell an absent number from 0.
        let limit = if limit == 0 { u64::MAX } else { limit };
        let store = self.store.clone();
        let listing = blocking(move || store.list(&prefix, limit)).await?;
        Ok(Response::new(streams::entries(listing)))
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let store = self.store.clone();
        let (version, changes) = blocking(move || store.changes()).await?;
        Ok(Response::new(streams::changes(version, changes, request.into_inner().prefix)))
    }
}

fn aborted(mismatch: Mismatch, expected: u64) -> Status {
    let shown = |version| if version == 0 { "no value".to_owned() } else { format!("version {version}") };
    let message = format!("the key has {}, expected {}", shown(mismatch.current), shown(expected));
    let mut trailers = MetadataMap::new();
    trailers.insert(VERSION_TRAILER, mismatch.current.into());
    Status::with_metadata(Code::Aborted, message, trailers)
}
