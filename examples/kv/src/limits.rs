//! Every size and count that the example bounds, for its host and its plugin. Durations are in
//! `timing.rs`.

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The longest key in bytes.
pub const KEY_BYTES: usize = 4 * KIB;

/// The largest value in bytes. Version 1 sends a value in one message, so both ends hold it whole.
pub const VALUE_BYTES: usize = 64 * MIB;

/// The largest chunk in bytes in which the Store service sends a value.
pub const CHUNK_BYTES: usize = 64 * KIB;

/// The largest message of the KV service in bytes: a value, its key, and the protobuf framing.
pub const KV_MESSAGE_BYTES: usize = VALUE_BYTES + 64 * KIB;

/// The largest message of the Store service in bytes: a chunk, or a key and a few numbers.
pub const STORE_MESSAGE_BYTES: usize = CHUNK_BYTES + 8 * KIB;

/// The part of the database file that redb keeps in memory, in bytes: room for two of the largest
/// values.
pub const STORE_CACHE_BYTES: usize = 128 * MIB;

/// The number of changes that the store keeps for a slow receiver. A receiver that is further
/// behind loses the oldest.
pub const CHANGE_BACKLOG: usize = 1024;

/// The number of entries that a listing reads in one turn. Each turn holds a thread of the blocking
/// pool for as long as the disk takes.
pub const LISTING_BATCH: usize = 128;

/// The number of uploads of the largest size that the plugin buffers, and the number of writes that
/// a serving host passes on concurrently: a host never causes the plugin to reject an upload.
pub const CONCURRENT_WRITES: usize = 4;

/// The memory in bytes that all unfinished uploads to one plugin share.
pub const UPLOAD_BUFFER_BYTES: usize = CONCURRENT_WRITES * VALUE_BYTES;

/// The number of `get` and `list` calls that a serving host passes on concurrently. All calls share
/// one HTTP/2 connection to the plugin, whose flow-control window (RFC 9113, section 5.2) is 5 MiB;
/// each stream may fill 2 MiB of it. Two callers that stop reading leave 1 MiB for the other calls.
pub const CONCURRENT_READS: usize = 2;

/// The number of watchers of a serving host. A watch has no end, so further watchers are rejected
/// instead of queued.
pub const WATCHERS: usize = 64;

/// The number of messages of a `get` or `list` that wait in the host for one caller.
pub const RELAY_MESSAGES: usize = 4;

/// The number of changes that wait in the host for one watcher before it loses its stream.
pub const RELAY_CHANGES: usize = 256;

/// The number of connections to a serving host.
pub const CONNECTIONS: usize = 256;

/// The number of connections that the kernel queues until the host accepts them (listen(2)).
pub const LISTEN_BACKLOG: i32 = 128;

/// The number of concurrent calls on one connection to a serving host.
pub const STREAMS_PER_CONNECTION: u32 = 32;

/// The headers of one call to a serving host, in bytes.
pub const HEADER_LIST_BYTES: u32 = 16 * 1024;

/// The part of a peer's error message that the host prints or passes on, in characters.
pub const PEER_MESSAGE_CHARS: usize = 1000;
