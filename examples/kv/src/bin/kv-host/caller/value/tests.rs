//! Values from a peer that says what the test wants, in the service that generated clients know.

use kv::store_proto::store_server::{Store, StoreServer};
use kv::store_proto::{
    DeleteRequest, DeleteResponse, Entry, GetRequest, ListRequest, WatchRequest, WatchResponse, WriteRequest,
    WriteResponse,
};
use tokio_stream::StreamExt;
use tonic::codegen::BoxStream;
use tonic::{Code, Request, Response};

use super::*;
use crate::caller::{CallError, Caller};

/// Answers each `get` with these parts, and nothing else.
struct Says(Vec<Option<Part>>);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Store for Says {
    type GetStream = BoxStream<GetResponse>;
    type ListStream = BoxStream<Entry>;
    type WatchStream = BoxStream<WatchResponse>;

    async fn get(&self, _: Request<GetRequest>) -> Answer<Self::GetStream> {
        let parts: Vec<_> = self.0.iter().map(|part| Ok(GetResponse { part: part.clone() })).collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(parts))))
    }

    async fn put(&self, _: Request<Streaming<WriteRequest>>) -> Answer<WriteResponse> {
        Err(Status::unimplemented(""))
    }

    async fn compare_and_swap(&self, _: Request<Streaming<WriteRequest>>) -> Answer<WriteResponse> {
        Err(Status::unimplemented(""))
    }

    async fn delete(&self, _: Request<DeleteRequest>) -> Answer<DeleteResponse> {
        Err(Status::unimplemented(""))
    }

    async fn list(&self, _: Request<ListRequest>) -> Answer<Self::ListStream> {
        Err(Status::unimplemented(""))
    }

    async fn watch(&self, _: Request<WatchRequest>) -> Answer<Self::WatchStream> {
        Err(Status::unimplemented(""))
    }
}

async fn got(parts: &[Option<Part>]) -> Result<Vec<u8>, Status> {
    let caller = Caller::to_host(StoreServer::new(Says(parts.to_vec())));
    let mut value = match caller.get("a".into()).await {
        Ok(value) => value,
        Err(CallError::Answered(status)) => return Err(status),
        Err(error) => panic!("{error}"),
    };
    let mut bytes = Vec::new();
    while let Some(piece) = value.next().await {
        bytes.extend_from_slice(&piece?);
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
async fn what_was_announced_is_taken() {
    assert_eq!(got(&[found(5), chunk(b"abc"), chunk(b"de")]).await.unwrap(), b"abcde");
    assert_eq!(got(&[found(0)]).await.unwrap(), b"");
}

#[tokio::test]
async fn anything_else_is_an_error() {
    for (parts, fault) in [
        (&[][..], "not announced"),
        (&[None], "not announced"),
        (&[chunk(b"abc")], "not announced"),
        (&[found(VALUE_LIMIT as u64 + 1)], "longer than values are"),
        (&[found(u64::MAX)], "longer than values are"),
        (&[found(5)], "shorter than was announced"),
        (&[found(5), chunk(b"abc")], "shorter than was announced"),
        (&[found(2), chunk(b"abc")], "not what was announced"),
        (&[found(3), chunk(b"abc"), chunk(b"d")], "not what was announced"),
        (&[found(3), chunk(b"")], "not what was announced"),
        (&[found(3), found(3), chunk(b"abc")], "not what was announced"),
        (&[found(3), None, chunk(b"abc")], "not what was announced"),
    ] {
        let status = got(parts).await.expect_err(fault);
        assert_eq!(status.code(), Code::DataLoss, "{status}");
        assert!(status.message().contains(fault), "{status}");
    }
}
