//! What happened, provably: events as values, and a log of them that cannot be changed unseen.

mod arguments;
mod chain;
mod checkpoint;
mod event;
pub mod examine;
mod key;
mod log;
mod note;
pub mod proof;
pub mod read;
mod record;
mod sink;
mod time;
pub mod tree;

pub use arguments::{Arguments, ArgumentsError};
pub use chain::ChainFault;
pub use checkpoint::{Checkpoint, CheckpointError};
pub use event::*;
pub use key::{Blind, BlindError, Blinding, LogKey, LogKeyError};
#[cfg(feature = "host")]
pub use log::Owed;
pub use log::{Log, LogBuilder, LogError, LogOpenError, LogStatus, Mode};
pub use note::{NoteError, NoteKeyError, NoteSigner, NoteVerifier, open_note};
pub use record::{Record, RecordFault};
pub use sink::{Sink, TracingSink, TracingSinkError};
#[cfg(feature = "syslog")]
pub use sink::{SyslogSink, SyslogSinkError};
