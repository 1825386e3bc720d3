//! Stage 6: the services of the wire besides the application's: health, controller, plugin output
//! and reflection.
#![forbid(unsafe_code)]

mod controller;
mod generated;
#[cfg(feature = "host")]
mod health;
#[cfg(feature = "reflection")]
mod presence;
#[cfg(feature = "reflection")]
mod reflection;
#[cfg(feature = "host")]
mod stdio;

#[cfg(feature = "plugin")]
pub(crate) use controller::service as controller_service;
#[cfg(feature = "host")]
pub(crate) use controller::{ExitRequest, request_exit};
#[cfg(feature = "host")]
pub use health::RpcError;
#[cfg(feature = "host")]
pub(crate) use health::check_health;
#[cfg(feature = "reflection")]
pub use presence::ServicePresence;
#[cfg(feature = "reflection")]
pub(crate) use presence::probe_service;
#[cfg(feature = "reflection")]
pub(crate) use reflection::list_services;
#[cfg(feature = "reflection")]
pub use reflection::{ReflectionVersion, ServicesError};
#[cfg(feature = "host")]
pub(crate) use stdio::drain_stdio;

/// The name under which a plugin reports its health.
pub(crate) const HEALTH_SERVICE: &str = "plugin";
