//! The KV service of go-plugin's published example. Values only, each in one message.

use kv::proto::kv_server::Kv;
use kv::proto::{Empty, GetRequest, GetResponse, PutRequest};
use kv::{Store, VALUE_LIMIT};
use tonic::{Request, Response, Status};

use super::{blocking, named, without_a_value};

pub(crate) struct Service(pub(super) Store);

#[tonic::async_trait]
impl Kv for Service {
    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let key = named(request.into_inner().key)?;
        let store = self.0.clone();
        let value = blocking(move || store.get(&key)).await?.ok_or_else(without_a_value)?;
        Ok(Response::new(GetResponse { value: value.bytes }))
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<Empty>, Status> {
        let PutRequest { key, value } = request.into_inner();
        let key = named(key)?;
        if value.len() > VALUE_LIMIT {
            return Err(Status::invalid_argument(format!("the value is longer than {VALUE_LIMIT} bytes")));
        }
        let store = self.0.clone();
        blocking(move || store.put(&key, &value)).await?;
        Ok(Response::new(Empty {}))
    }
}
