//! What makes a log evidence: records, the chain and the tree over them, signed checkpoints, and
//! the files they are stored in. Both the writer and the reader use it; it writes no log.

pub(crate) mod chain;
pub(crate) mod checkpoint;
pub(crate) mod key;
pub(crate) mod note;
pub(crate) mod record;
pub(crate) mod segments;
mod timestamp;
pub mod tree;
