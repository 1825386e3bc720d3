//! What the plugin serves, over one store: the KV service of version 1 and the Store service of
//! version 2.

mod kv;
mod listing;
mod store;
mod upload;
mod watch;

use ::kv::proto::kv_server::KvServer;
use ::kv::store_proto::store_server::StoreServer;
use ::kv::{KV_MESSAGE_LIMIT, Key, STORE_MESSAGE_LIMIT, Store, StoreError};
use tonic::Status;

/// The KV service, for messages in which a whole value fits.
pub(crate) fn kv(store: Store) -> KvServer<kv::Service> {
    KvServer::new(kv::Service(store)).max_decoding_message_size(KV_MESSAGE_LIMIT)
}

/// The Store service, whose messages are small.
pub(crate) fn store(store: Store) -> StoreServer<store::Service> {
    StoreServer::new(store::Service::new(store)).max_decoding_message_size(STORE_MESSAGE_LIMIT)
}

/// Does something that waits for the disk where that is allowed.
async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(what).await;
    done.map_err(|_| Status::internal("the store panicked"))?.map_err(|error| failed(&error))
}

fn failed(error: &StoreError) -> Status {
    Status::internal(error.to_string())
}

fn named(key: String) -> Result<Key, Status> {
    Key::try_from(key).map_err(|fault| Status::invalid_argument(fault.to_string()))
}

fn without_a_value() -> Status {
    Status::not_found("the key has no value")
}
