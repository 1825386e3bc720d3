//! Stage 2: starts a [`VerifiedPlugin`](crate::verify::VerifiedPlugin) as a [`Running`] process
//! that inherits nothing by accident.
//!
//! Owns processes, their descriptors and environment, and the private directory. Knows neither the
//! handshake nor TLS. Dropping a [`Running`] kills the process and its process group, and removes
//! the directory.

#[cfg(feature = "host")]
mod child;
mod directory;
mod error;
#[cfg(feature = "host")]
mod hardening;
#[cfg(feature = "host")]
mod reaper;
#[cfg(feature = "host")]
mod spawn;

pub use crate::environment::{Environment, EnvironmentError, EnvironmentFault};
#[cfg(feature = "host")]
pub use child::{Exit, PeerCheck};
pub use error::{LaunchError, Step};
#[cfg(feature = "host")]
pub use hardening::Hardening;

#[cfg(feature = "host")]
pub(crate) use child::{Child, Peer};
pub(crate) use directory::create_socket_directory;
#[cfg(feature = "host")]
pub(crate) use spawn::{Running, SpawnSpec, Stdin, on_launcher};
