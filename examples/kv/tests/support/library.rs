//! A host on the library itself, for plugins that kv-host cannot launch: with arguments, or with an
//! interpreter.

use std::time::Duration;

use kv::proto::kv_client::KvClient;
use kv::proto::{GetRequest, PutRequest};
use portcullis::host::{Channel, Environment, LaunchBuilder, LaunchParameters, Plugin, Shutdown};
use portcullis::verify::VerifiedPlugin;
use portcullis::{MESSAGE_LIMIT, Protocol};

use super::{LIMIT, Place};

/// A launch as kv-host does it: the example's protocol, and nothing in the environment.
pub(crate) fn builder(place: &Place, verified: VerifiedPlugin) -> LaunchBuilder<LaunchParameters> {
    builder_of(place, verified, Protocol::new("BASIC_PLUGIN", "hello", 1))
}

/// The same with another protocol.
pub(crate) fn builder_of(
    place: &Place,
    verified: VerifiedPlugin,
    protocol: Protocol,
) -> LaunchBuilder<LaunchParameters> {
    Plugin::builder(verified)
        .with_protocol(protocol)
        .with_environment(Environment::empty())
        .with_runtime_directory(place.temporary())
}

/// A running plugin and a client of its KV service.
pub(crate) struct Session {
    pub(crate) plugin: Plugin,
    client: KvClient<Channel>,
}

impl Session {
    pub(crate) fn of(plugin: Plugin) -> Self {
        let client = KvClient::new(plugin.channel()).max_decoding_message_size(MESSAGE_LIMIT);
        Self { plugin, client }
    }

    pub(crate) async fn put(&mut self, key: &str, value: &[u8]) {
        let request = PutRequest { key: key.into(), value: value.to_vec().into() };
        self.client.put(request).await.unwrap();
    }

    pub(crate) async fn get(&mut self, key: &str) -> Vec<u8> {
        let request = GetRequest { key: key.into() };
        self.client.get(request).await.unwrap().into_inner().value.into()
    }

    pub(crate) async fn shutdown(self) -> Shutdown {
        self.plugin.shutdown(Duration::from_secs(2)).await
    }
}

/// Runs a future on a new runtime, and panics if it takes too long. Dropping the future kills the
/// plugins that it launched.
#[track_caller]
pub(crate) fn within_limit<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, work).await }).expect("timed out")
}
