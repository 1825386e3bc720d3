//! The audit log: a tamper-evident log of events, its verification, and proofs about it. Events are
//! defined in [`event`](crate::event).

mod evidence;
mod log;
mod reader;
mod sink;

pub use evidence::chain::ChainFault;
pub use evidence::checkpoint::{Checkpoint, CheckpointError};
pub use evidence::key::{KeyedHasher, LogKey, LogKeyError};
pub use evidence::note::{NoteError, NoteKeyError, NoteSigner, NoteVerifier, open_note};
pub use evidence::record::{Record, RecordFault};
pub use evidence::tree;
pub use log::{Log, LogBuilder, LogError, LogOpenError, LogStatus, Mode};
pub use reader::{proof, read, verifier};
pub use sink::{Sink, TracingSink, TracingSinkError};
#[cfg(feature = "syslog")]
pub use sink::{SyslogSink, SyslogSinkError};
