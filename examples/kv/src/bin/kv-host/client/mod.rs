//! The client of both protocol versions, over any channel: to a launched plugin, or to a serving
//! host. Every call of this program is made here, and names its arguments for the audit log.

mod value;

use std::fmt;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body::Body;
use hyper_util::rt::TokioIo;
use kv::limits::{CHUNK_BYTES, KV_MESSAGE_BYTES, STORE_MESSAGE_BYTES};
use kv::proto;
use kv::proto::kv_client::KvClient;
use kv::store_proto::store_client::StoreClient;
use kv::store_proto::write_request::Part;
use kv::store_proto::{
    Announcement, Commit, DeleteRequest, Entry, GetRequest, ListRequest, WatchRequest, WatchResponse, WriteRequest,
};
use portcullis::Escaped;
use portcullis::host::{Arguments, ArgumentsError, Plugin};
use tokio_stream::Stream;
use tonic::client::GrpcService;
use tonic::transport::{Endpoint, Uri};
use tonic::{Request, Status, Streaming};

pub(crate) use self::value::ValueStream;
use crate::socket;

/// The protocol version that has the Store service.
const STORE_VERSION: u32 = 2;

/// A channel that generated clients can use from any task: the library's, tonic's, or a test's.
pub(crate) trait GrpcChannel:
    GrpcService<
        tonic::body::Body,
        ResponseBody: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
        Future: Send,
        Error: Send,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<C> GrpcChannel for C where
    C: GrpcService<
            tonic::body::Body,
            ResponseBody: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
            Future: Send,
            Error: Send,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

/// The other end of a channel, as messages name it.
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

/// Why a call returned no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The peer returned this status, or the connection failed.
    #[error("the call failed: {}", Escaped::new(.0.message()))]
    Status(Status),
    /// The arguments cannot be recorded.
    #[error(transparent)]
    Arguments(#[from] ArgumentsError),
    /// The protocol version of the plugin has no such call.
    #[error("the plugin speaks protocol version {version}, which has only get and put")]
    Version { version: u32 },
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// A client of one peer.
#[derive(Debug, Clone)]
pub(crate) struct Client<C> {
    channel: C,
    version: u32,
    peer: Peer,
}

impl Client<portcullis::host::Channel> {
    /// The client of a launched plugin.
    pub(crate) fn to_plugin(plugin: &Plugin) -> Self {
        Self::new(plugin.channel(), plugin.version(), Peer::Plugin)
    }
}

impl Client<tonic::transport::Channel> {
    /// Connects to the host that serves on `socket`. The host must run as this user or as root.
    pub(crate) async fn connect(socket: &Path) -> Result<Self> {
        let connected = socket::connect(socket).await;
        let stream = connected.with_context(|| format!("cannot connect to a host on {}", Escaped::path(socket)))?;
        // The checked connection is the only one: if it breaks, calls fail. Connecting again could
        // reach a socket that another user has created since.
        let mut stream = Some(TokioIo::new(stream));
        let once = tower::service_fn(move |_: Uri| {
            std::future::ready(stream.take().ok_or_else(|| io::Error::other("the connection to the host is closed")))
        });
        // tonic requires a URI. Nothing resolves this name.
        let channel = Endpoint::from_static("http://localhost").connect_with_connector(once).await;
        Ok(Self::to_host(channel.context("the host does not speak HTTP/2")?))
    }
}

impl<C: GrpcChannel> Client<C> {
    /// The client of a peer that speaks `version` of the protocol.
    pub(crate) fn new(channel: C, version: u32, peer: Peer) -> Self {
        Self { channel, version, peer }
    }

    /// The client of a serving host, which has the Store service only.
    pub(crate) fn to_host(channel: C) -> Self {
        Self::new(channel, STORE_VERSION, Peer::Host)
    }

    pub(crate) fn peer(&self) -> Peer {
        self.peer
    }

    /// Gets the value of a key. The version and the size are known when this returns; the chunks
    /// arrive as the stream is read.
    pub(crate) async fn get(&self, key: String) -> Result<ValueStream, CallError> {
        let arguments = Arguments::new().with("key", &key)?;
        // Version 1 has the KV service only, which serves the same values.
        match self.store() {
            Ok(mut store) => {
                let answer = store.get(request(GetRequest { key }, arguments)).await?;
                Ok(ValueStream::begin(answer.into_inner()).await?)
            }
            Err(_) => {
                let answer = self.kv().get(request(proto::GetRequest { key }, arguments)).await?;
                Ok(ValueStream::whole(answer.into_inner().value))
            }
        }
    }

    /// Stores a value.
    pub(crate) async fn put(&self, key: String, value: Bytes) -> Result<(), CallError> {
        let arguments = Arguments::new().with("key", &key)?.with("value", &value)?;
        match self.store() {
            Ok(mut store) => drop(store.put(request(whole(key, None, value), arguments)).await?),
            Err(_) => drop(self.kv().put(request(proto::PutRequest { key, value }, arguments)).await?),
        }
        Ok(())
    }

    /// Stores a value if the version of the key is `expected`. Returns the new version.
    pub(crate) async fn compare_and_swap(&self, key: String, expected: u64, value: Bytes) -> Result<u64, CallError> {
        let arguments = Arguments::new().with("key", &key)?.with("value", &value)?;
        let parts = request(whole(key, Some(expected), value), arguments);
        Ok(self.store()?.compare_and_swap(parts).await?.into_inner().version)
    }

    /// Stores a value that arrives in chunks: `first` announces it, `rest` ends with the commit. If
    /// `first` has an expected version, the call is a swap. Returns the new version. The audit log
    /// gets only the key, because the value is never complete in this process.
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

    /// Deletes a value. Returns whether there was one.
    pub(crate) async fn delete(&self, key: String) -> Result<bool, CallError> {
        let arguments = Arguments::new().with("key", &key)?;
        Ok(self.store()?.delete(request(DeleteRequest { key }, arguments)).await?.into_inner().existed)
    }

    /// Lists the keys that start with `prefix`: at most `limit`, or all if it is 0.
    pub(crate) async fn list(&self, prefix: String, limit: u64) -> Result<Streaming<Entry>, CallError> {
        let arguments = Arguments::new().with("prefix", &prefix)?;
        Ok(self.store()?.list(request(ListRequest { prefix, limit }, arguments)).await?.into_inner())
    }

    /// Watches the changes, from now on, of keys that start with `prefix`.
    pub(crate) async fn watch(&self, prefix: String) -> Result<Streaming<WatchResponse>, CallError> {
        let arguments = Arguments::new().with("prefix", &prefix)?;
        Ok(self.store()?.watch(request(WatchRequest { prefix }, arguments)).await?.into_inner())
    }

    /// The client of the Store service, or an error if the peer speaks version 1.
    pub(crate) fn store(&self) -> Result<StoreClient<C>, CallError> {
        match self.version {
            STORE_VERSION => Ok(StoreClient::new(self.channel.clone()).max_decoding_message_size(STORE_MESSAGE_BYTES)),
            version => Err(CallError::Version { version }),
        }
    }

    fn kv(&self) -> KvClient<C> {
        KvClient::new(self.channel.clone()).max_decoding_message_size(KV_MESSAGE_BYTES)
    }
}

/// Attaches the arguments to a request. The channel of a launched plugin records their keyed hashes
/// before it sends the request.
fn request<T>(message: T, arguments: Arguments) -> Request<T> {
    // Extensions stay in this process; they are not sent.
    let mut request = Request::new(message);
    request.extensions_mut().insert(arguments);
    request
}

/// The messages that write a whole value.
fn whole(key: String, expected_version: Option<u64>, mut value: Bytes) -> impl Stream<Item = WriteRequest> + Send {
    let announcement = Announcement { key, size: value.len() as u64, expected_version };
    let chunks = std::iter::from_fn(move || {
        let chunk = value.split_to(value.len().min(CHUNK_BYTES));
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
