//! Code that `cargo codegen` generates from `proto/`. Do not edit: a test compares it with its
//! source.
#![allow(missing_docs, clippy::exhaustive_enums, clippy::exhaustive_structs, clippy::pedantic, reason = "generated")]

#[rustfmt::skip]
pub mod kv;
#[rustfmt::skip]
pub mod store;
