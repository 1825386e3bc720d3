//! Stage 6: the services that host and plugin have besides the application's: health, the controller, and what a plugin prints.
#![forbid(unsafe_code)]

mod controller;
mod error;
mod generated;
#[cfg(feature = "host")]
mod health;
#[cfg(feature = "host")]
mod stdio;

#[cfg(feature = "plugin")]
pub(crate) use controller::service as controller_service;
#[cfg(feature = "host")]
pub(crate) use controller::{Asked, ask_to_exit};
#[cfg(feature = "host")]
pub use error::RpcError;
#[cfg(feature = "host")]
pub(crate) use health::check;
#[cfg(feature = "host")]
pub(crate) use stdio::drain;

/// The name under which a plugin's health is asked for.
pub(crate) const HEALTH_SERVICE: &str = "plugin";
