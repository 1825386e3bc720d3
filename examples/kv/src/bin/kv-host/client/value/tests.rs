//! Values from a scripted peer: each test chooses the messages that it sends.

use kv::store_proto::store_server::{Store, StoreServer};
use kv::store_proto::{
    DeleteRequest, DeleteResponse, Entry, GetRequest, ListRequest, WatchRequest, WatchResponse, WriteRequest,
    WriteResponse,
};
use tokio_stream::StreamExt;
use tonic::codegen::BoxStream;
use tonic::{Code, Request, Response};

use super::*;
use crate::client::{CallError, Client};

/// Answers each `get` with these parts, and no other call.
struct ScriptedStore(Vec<Option<Part>>);

type CallResult<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Store for ScriptedStore {
    type GetStream = BoxStream<GetResponse>;
    type ListStream = BoxStream<Entry>;
    type WatchStream = BoxStream<WatchResponse>;

    async fn get(&self, _: Request<GetRequest>) -> CallResult<Self::GetStream> {
        let parts: Vec<_> = self.0.iter().map(|part| Ok(GetResponse { part: part.clone() })).collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(parts))))
    }

    async fn put(&self, _: Request<Streaming<WriteRequest>>) -> CallResult<WriteResponse> {
        Err(Status::unimplemented(""))
    }

    async fn compare_and_swap(&self, _: Request<Streaming<WriteRequest>>) -> CallResult<WriteResponse> {
        Err(Status::unimplemented(""))
    }

    async fn delete(&self, _: Request<DeleteRequest>) -> CallResult<DeleteResponse> {
        Err(Status::unimplemented(""))
    }

    async fn list(&self, _: Request<ListRequest>) -> CallResult<Self::ListStream> {
        Err(Status::unimplemented(""))
    }

    async fn watch(&self, _: Request<WatchRequest>) -> CallResult<Self::WatchStream> {
        Err(Status::unimplemented(""))
    }
}

async fn got(parts: &[Option<Part>]) -> Result<Vec<u8>, Status> {
    let client = Client::to_host(StoreServer::new(ScriptedStore(parts.to_vec())));
    let mut value = match client.get("a".into()).await {
        Ok(value) => value,
        Err(CallError::Status(status)) => return Err(status),
        Err(error) => panic!("{error}"),
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = value.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

fn found(size: u64) -> Option<Part> {
    Some(Part::Found(Found { version: 1, size }))
}

fn chunk(bytes: &'static [u8]) -> Option<Part> {
    Some(Part::Chunk(bytes.into()))
}

#[tokio::test]
async fn announced_value_is_received() {
    assert_eq!(got(&[found(5), chunk(b"abc"), chunk(b"de")]).await.unwrap(), b"abcde");
    assert_eq!(got(&[found(0)]).await.unwrap(), b"");
}

#[tokio::test]
async fn malformed_value_is_an_error() {
    for (parts, fault) in [
        (&[][..], "does not announce a value"),
        (&[None], "does not announce a value"),
        (&[chunk(b"abc")], "does not announce a value"),
        (&[found(VALUE_BYTES as u64 + 1)], "at most 67108864 are allowed"),
        (&[found(u64::MAX)], "at most 67108864 are allowed"),
        (&[found(5)], "shorter than announced"),
        (&[found(5), chunk(b"abc")], "shorter than announced"),
        (&[found(2), chunk(b"abc")], "empty, oversized or unexpected"),
        (&[found(3), chunk(b"abc"), chunk(b"d")], "empty, oversized or unexpected"),
        (&[found(3), chunk(b"")], "empty, oversized or unexpected"),
        (&[found(3), found(3), chunk(b"abc")], "empty, oversized or unexpected"),
        (&[found(3), None, chunk(b"abc")], "empty, oversized or unexpected"),
    ] {
        let status = got(parts).await.expect_err(fault);
        assert_eq!(status.code(), Code::DataLoss, "{status}");
        assert!(status.message().contains(fault), "{status}");
    }
}
