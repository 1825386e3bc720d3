//! Code that `cargo codegen` generates from `proto/`. Do not edit: a test compares it with its
//! source.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    unused_qualifications,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::pedantic,
    reason = "generated"
)]

#[rustfmt::skip]
pub(crate) mod controller;
#[cfg(feature = "host")]
#[rustfmt::skip]
pub(crate) mod stdio;
