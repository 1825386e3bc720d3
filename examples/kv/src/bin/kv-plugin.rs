//! The plugin of the example: serves a store in the directory that it is given. `main` says what is served; the rest is the service.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use kv::proto::kv_server::{Kv, KvServer};
use kv::proto::{Empty, GetRequest, GetResponse, PutRequest};
use kv::{Store, StoreError};
use portcullis::{MESSAGE_LIMIT, plugin};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// Keeps values by key. Started by kv-host, or by a host built with go-plugin.
#[derive(Parser)]
struct Arguments {
    /// The directory that the values are kept in
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Also serve hosts that offer no certificate
    #[arg(long)]
    dangerous_allow_plaintext: bool,
}

fn main() -> ExitCode {
    let mut plugin = plugin::builder("BASIC_PLUGIN", "hello");
    if plugin.was_launched() {
        let arguments = Arguments::parse();
        if arguments.dangerous_allow_plaintext {
            plugin = plugin.dangerous_allow_plaintext();
        }
        plugin = plugin.version(1, || async move { services(arguments.data) });
    }
    plugin.serve()
}

fn services(data: PathBuf) -> Result<Routes, StoreError> {
    let service = Service(Store::open(&data)?);
    Ok(Routes::new(KvServer::new(service).max_decoding_message_size(MESSAGE_LIMIT)))
}

struct Service(Store);

#[tonic::async_trait]
impl Kv for Service {
    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let key = named(request.into_inner().key)?;
        let value = self.with_store(move |store| store.get(&key)).await?;
        let value = value.ok_or_else(|| Status::not_found("the key has no value"))?;
        Ok(Response::new(GetResponse { value }))
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<Empty>, Status> {
        let PutRequest { key, value } = request.into_inner();
        let key = named(key)?;
        self.with_store(move |store| store.put(&key, &value)).await?;
        Ok(Response::new(Empty {}))
    }
}

impl Service {
    /// Uses the store where blocking is allowed.
    async fn with_store<T: Send + 'static>(
        &self,
        use_it: impl FnOnce(Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Status> {
        let store = self.0.clone();
        let used = tokio::task::spawn_blocking(|| use_it(store)).await;
        used.map_err(|_| Status::internal("the store panicked"))?.map_err(|error| Status::internal(error.to_string()))
    }
}

fn named(key: String) -> Result<String, Status> {
    if key.is_empty() { Err(Status::invalid_argument("the key is empty")) } else { Ok(key) }
}
