//! The one place where calls are made, whatever the channel: to a plugin of either version, or to a
//! host that serves one.

mod channel;
mod value;

use std::fmt;

use bytes::Bytes;
use kv::proto::kv_client::KvClient;
use kv::store_proto::store_client::StoreClient;
use kv::store_proto::write_request::Part;
use kv::store_proto::{
    Announcement, Commit, DeleteRequest, Entry, GetRequest, ListRequest, WatchRequest, WatchResponse, WriteRequest,
};
use kv::{CHUNK_LIMIT, KV_MESSAGE_LIMIT, STORE_MESSAGE_LIMIT, proto};
use portcullis::host::{Arguments, ArgumentsError};
use portcullis::host::{Channel, Plugin};
use tokio_stream::Stream;
use tonic::{Request, Status, Streaming};

pub(crate) use self::channel::Calls;
pub(crate) use self::value::Value;

/// The version of the protocol that has the Store service.
const STORE_VERSION: u32 = 2;

/// Who is called. For people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Plugin,
    Host,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plugin => "the plugin",
            Self::Host => "the host",
        })
    }
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The peer answered so, or the connection is gone.
    #[error("no result: {}", portcullis::Escaped::new(.0.message()))]
    Answered(Status),
    /// What it is about cannot be recorded.
    #[error(transparent)]
    Arguments(#[from] ArgumentsError),
    /// The plugin knows no such call.
    #[error("this plugin speaks version {version}, which has only get and put")]
    Version { version: u32 },
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        Self::Answered(status)
    }
}

/// Calls whoever is at the other end of a channel.
#[derive(Debug, Clone)]
pub(crate) struct Caller<C> {
    channel: C,
    version: u32,
    peer: Peer,
}

impl Caller<Channel> {
    /// For a plugin that was launched.
    pub(crate) fn to_plugin(plugin: &Plugin) -> Self {
        Self::new(plugin.channel(), plugin.version(), Peer::Plugin)
    }
}

impl<C: Calls> Caller<C> {
    /// For a peer that speaks `version` of the protocol.
    pub(crate) fn new(channel: C, version: u32, peer: Peer) -> Self {
        Self { channel, version, peer }
    }

    /// For a host, which speaks the Store service.
    pub(crate) fn to_host(channel: C) -> Self {
        Self::new(channel, STORE_VERSION, Peer::Host)
    }

    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// The value of a key: what there is to come has come, and the rest comes as it is read.
    pub(crate) async fn get(&self, key: String) -> Result<Value, CallError> {
        let arguments = Arguments::new().with("key", &key)?;
        match self.store() {
            Ok(mut store) => {
                let answer = store.get(request(GetRequest { key }, arguments)).await?;
                Ok(Value::begin(answer.into_inner()).await?)
            }
            Err(_) => {
                let answer = self.kv().get(request(proto::GetRequest { key }, arguments)).await?;
                Ok(Value::whole(answer.into_inner().value))
            }
        }
    }

    /// Stores a value that is there.
    pub(crate) async fn put(&self, key: String, value: Bytes) -> Result<(), CallError> {
        let arguments = Arguments::new().with("key", &key)?.with("value", &value)?;
        match self.store() {
            Ok(mut store) => drop(store.put(request(whole(key, None, value), arguments)).await?),
            Err(_) => drop(self.kv().put(request(proto::PutRequest { key, value }, arguments)).await?),
        }
        Ok(())
    }

    /// Stores a value that is there if the key has the version `expected`. Returns the new version.
    pub(crate) async fn compare_and_swap(&self, key: String, expected: u64, value: Bytes) -> Result<u64, CallError> {
        let arguments = Arguments::new().with("key", &key)?.with("value", &value)?;
        let parts = request(whole(key, Some(expected), value), arguments);
        Ok(self.store()?.compare_and_swap(parts).await?.into_inner().version)
    }

    /// Stores a value that comes in pieces, of which `first` is the announcement: a swap where it
    /// names an expected version. Returns the new version.
    pub(crate) async fn write(
        &self,
        first: Announcement,
        rest: impl Stream<Item = WriteRequest> + Send + 'static,
    ) -> Result<u64, CallError> {
        let arguments = Arguments::new().with("key", &first.key)?;
        let is_swap = first.expected_version.is_some();
        let parts = request(announced(first, rest), arguments);
        let mut store = self.store()?;
        let answer = if is_swap { store.compare_and_swap(parts).await? } else { store.put(parts).await? };
        Ok(answer.into_inner().version)
    }

    /// Takes a value away. Returns whether there was one.
    pub(crate) async fn delete(&self, key: String) -> Result<bool, CallError> {
        let arguments = Arguments::new().with("key", &key)?;
        Ok(self.store()?.delete(request(DeleteRequest { key }, arguments)).await?.into_inner().existed)
    }

    /// The keys that start with `prefix`; at most `limit`, or all of them if that is 0.
    pub(crate) async fn list(&self, prefix: String, limit: u64) -> Result<Streaming<Entry>, CallError> {
        let arguments = Arguments::new().with("prefix", &prefix)?;
        Ok(self.store()?.list(request(ListRequest { prefix, limit }, arguments)).await?.into_inner())
    }

    /// The changes from now on whose keys start with `prefix`.
    pub(crate) async fn watch(&self, prefix: String) -> Result<Streaming<WatchResponse>, CallError> {
        let arguments = Arguments::new().with("prefix", &prefix)?;
        Ok(self.store()?.watch(request(WatchRequest { prefix }, arguments)).await?.into_inner())
    }

    /// Refuses what the peer's version does not have.
    pub(crate) fn store(&self) -> Result<StoreClient<C>, CallError> {
        match self.version {
            STORE_VERSION => Ok(StoreClient::new(self.channel.clone()).max_decoding_message_size(STORE_MESSAGE_LIMIT)),
            version => Err(CallError::Version { version }),
        }
    }

    fn kv(&self) -> KvClient<C> {
        KvClient::new(self.channel.clone()).max_decoding_message_size(KV_MESSAGE_LIMIT)
    }
}

/// Every request is made here, and says what it is about to whoever stands before the channel.
fn request<T>(message: T, arguments: Arguments) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(arguments);
    request
}

/// A value that is there, in pieces.
fn whole(key: String, expected_version: Option<u64>, mut value: Bytes) -> impl Stream<Item = WriteRequest> + Send {
    let announcement = Announcement { key, size: value.len() as u64, expected_version };
    let chunks = std::iter::from_fn(move || {
        let chunk = value.split_to(value.len().min(CHUNK_LIMIT));
        (!chunk.is_empty()).then_some(Part::Chunk(chunk))
    });
    let rest = chunks.chain([Part::Commit(Commit {})]).map(|part| WriteRequest { part: Some(part) });
    announced(announcement, tokio_stream::iter(rest))
}

fn announced(
    first: Announcement,
    rest: impl Stream<Item = WriteRequest> + Send,
) -> impl Stream<Item = WriteRequest> + Send {
    let first = WriteRequest { part: Some(Part::Announcement(first)) };
    tokio_stream::StreamExt::chain(tokio_stream::once(first), rest)
}

#[cfg(test)]
mod tests;
