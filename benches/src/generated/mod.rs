//! Code that `cargo codegen` makes from `proto/bench.proto`. Not edited by hand; a test compares it with its source.
#![allow(missing_docs, clippy::exhaustive_structs, clippy::pedantic, reason = "generated")]

#[rustfmt::skip]
pub mod bench;
