//! Reads a log, verifies it and makes proofs about it. Uses no part of the writer and changes no
//! file.

pub mod proof;
pub mod read;
pub mod verifier;
