//! Code that `cargo codegen` generates from `proto/bench.proto`. Do not edit: a test
//! compares it with its source.
#![allow(missing_docs, clippy::exhaustive_structs, clippy::pedantic, reason = "generated")]

#[rustfmt::skip]
pub mod bench;
