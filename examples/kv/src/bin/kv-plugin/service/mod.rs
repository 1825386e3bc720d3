//! The services of the plugin over one store: KV for version 1, Store for version 2. The two share
//! the way they call the store and the errors they return.

mod kv;
mod store;
mod streams;
mod upload;

use ::kv::limits::{KV_MESSAGE_BYTES, STORE_MESSAGE_BYTES};
use ::kv::proto::kv_server::KvServer;
use ::kv::store_proto::store_server::StoreServer;
use ::kv::{Key, Store, StoreError};
use tonic::Status;

/// The KV service, whose messages hold a whole value.
pub(crate) fn kv(store: Store) -> KvServer<kv::KvService> {
    KvServer::new(kv::KvService(store)).max_decoding_message_size(KV_MESSAGE_BYTES)
}

/// The Store service, whose messages hold a chunk.
pub(crate) fn store(store: Store) -> StoreServer<store::StoreService> {
    StoreServer::new(store::StoreService::new(store)).max_decoding_message_size(STORE_MESSAGE_BYTES)
}

/// Runs a store operation on the blocking pool. The store waits for the disk, which would stall
/// every call on the async threads.
async fn blocking<T: Send + 'static>(
    operation: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Status> {
    let joined = tokio::task::spawn_blocking(operation).await;
    let result = joined.map_err(|_| Status::internal("the store panicked"))?;
    result.map_err(|error| Status::internal(error.to_string()))
}

fn parse_key(key: String) -> Result<Key, Status> {
    Key::try_from(key).map_err(|error| Status::invalid_argument(error.to_string()))
}

fn no_value() -> Status {
    Status::not_found("the key has no value")
}
