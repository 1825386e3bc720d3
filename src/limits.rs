//! Every size and count that this crate bounds something by, one module per room. Durations are in
//! `timing.rs`; lengths that a format fixes stay beside the format.
#![allow(dead_code, reason = "a feature that is switched off leaves the limits of its room unused")]

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
