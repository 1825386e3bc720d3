//! Stage 2: a [`VerifiedPlugin`](crate::verify::VerifiedPlugin) becomes a [`Running`] process that
//! got nothing it was not given.
//!
//! Owns processes, descriptors, the environment and the private directory; knows neither the
//! handshake nor TLS. Dropping a [`Running`] kills the process and its group and removes the
//! directory.

#[cfg(feature = "host")]
mod child;
mod directory;
mod error;
#[cfg(feature = "host")]
mod hardening;
#[cfg(feature = "host")]
mod launcher;
mod peer;
#[cfg(feature = "host")]
mod reaper;
#[cfg(feature = "host")]
mod spawn;

#[cfg(feature = "host")]
use std::ffi::OsString;
#[cfg(feature = "host")]
use std::os::unix::net::UnixStream;

pub use crate::environment::{Environment, EnvironmentError, EnvironmentFault};
#[cfg(feature = "host")]
pub use child::Exit;
pub use error::{LaunchError, Step};
#[cfg(feature = "host")]
pub use hardening::Hardening;
pub use peer::PeerCheck;

#[cfg(feature = "host")]
pub(crate) use child::Child;
pub(crate) use directory::create_socket_directory;
pub(crate) use peer::Peer;
#[cfg(feature = "host")]
pub(crate) use spawn::{SpawnSpec, Stdin};

#[cfg(feature = "host")]
/// A plugin's process, with everything that belongs to it.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdout: UnixStream,
    pub(crate) stderr: UnixStream,
    /// The names of the variables in its environment.
    pub(crate) names: Vec<OsString>,
    pub(crate) hardening: Vec<Hardening>,
}

#[cfg(feature = "host")]
/// Runs `task` on the thread from which plugins are started, one after the other.
///
/// # Errors
///
/// When that thread cannot be started or reached; `task` does not run then.
pub(crate) fn on_launcher(task: impl FnOnce() + Send + 'static) -> Result<(), LaunchError> {
    launcher::run(task).map_err(LaunchError::start(Step::Launcher))
}
