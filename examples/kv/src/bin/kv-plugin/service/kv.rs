//! The KV service of go-plugin's published example: each value in one message, no versions.

use kv::Store;
use kv::limits::VALUE_BYTES;
use kv::proto::kv_server::Kv;
use kv::proto::{Empty, GetRequest, GetResponse, PutRequest};
use tonic::{Request, Response, Status};

use super::{blocking, no_value, parse_key};

pub(crate) struct KvService(pub(super) Store);

#[tonic::async_trait]
impl Kv for KvService {
    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let key = parse_key(request.into_inner().key)?;
        let store = self.0.clone();
        let value = blocking(move || store.get(&key)).await?.ok_or_else(no_value)?;
        Ok(Response::new(GetResponse { value: value.bytes }))
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<Empty>, Status> {
        let PutRequest { key, value } = request.into_inner();
        let key = parse_key(key)?;
        // The message limit leaves room for a key, so it does not bound the value.
        if value.len() > VALUE_BYTES {
            return Err(Status::invalid_argument(format!("the value is longer than {VALUE_BYTES} bytes")));
        }
        let store = self.0.clone();
        blocking(move || store.put(&key, &value)).await?;
        Ok(Response::new(Empty {}))
    }
}
