//! Every timeout, pause and lifetime of this crate, one module per room. Sizes and counts are in
//! `limits.rs`.
#![allow(dead_code, reason = "a feature that is switched off leaves the times of its room unused")]

/// `audit`
pub(crate) mod audit {}

/// `authoring`
pub(crate) mod authoring {}

/// `event`
pub(crate) mod event {}

/// `fs`
pub(crate) mod fs {}

/// `handshake`
pub(crate) mod handshake {}

/// `host`
pub(crate) mod host {}

/// `inspect`
pub(crate) mod inspect {}

/// `launch`, `exec` and `environment`
pub(crate) mod launch {}

/// `machine`
pub(crate) mod machine {}

/// `plugin`
pub(crate) mod plugin {}

/// `rpc`
pub(crate) mod rpc {}

/// `tls`
pub(crate) mod tls {}

/// `transport`
pub(crate) mod transport {}

/// `verify`
pub(crate) mod verify {}
