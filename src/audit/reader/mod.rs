//! A log as others read it: its lines, whether they are what the writer wrote, and proofs about
//! them. Uses no part of the writer and changes no file.

pub mod proof;
pub mod read;
pub mod verifier;
