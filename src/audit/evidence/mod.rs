//! The formats that make a log tamper-evident: records, the hash chain and Merkle tree over them,
//! signed checkpoints, and the names of the files. The writer and the reader use it. Writes no log.

pub(crate) mod chain;
pub(crate) mod checkpoint;
pub(crate) mod key;
pub(crate) mod note;
pub(crate) mod record;
pub(crate) mod segments;
mod timestamp;
pub mod tree;
