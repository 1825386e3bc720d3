//! What happened, provably: events as values, and a log of them that cannot be changed unseen.

mod chain;
mod checkpoint;
mod event;
mod key;
mod note;
mod record;
mod time;
pub mod tree;

pub use chain::ChainFault;
pub use checkpoint::{Checkpoint, CheckpointError};
pub use event::*;
pub use key::{Blind, BlindError, Blinding, LogKey, LogKeyError};
pub use note::{NoteError, NoteKeyError, NoteSigner, NoteVerifier, open_note};
pub use record::{Record, RecordFault};
