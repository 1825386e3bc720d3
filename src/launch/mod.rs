//! Stage 2: a [`VerifiedPlugin`](crate::verify::VerifiedPlugin) becomes a [`Running`] process that
//! got nothing it was not given.
//!
//! Owns processes, descriptors, the environment and the private directory; knows neither the
//! handshake nor TLS. Dropping a [`Running`] kills the process and its group and removes the
//! directory.

mod child;
mod directory;
mod error;
mod hardening;
mod launcher;
mod peer;
mod reaper;
mod spawn;

use std::ffi::OsString;
use std::os::unix::net::UnixStream;

pub use crate::environment::{Environment, EnvironmentError, EnvironmentFault};
pub use child::Exit;
pub use error::{LaunchError, Step};
pub use hardening::Hardening;
pub use peer::PeerCheck;

pub(crate) use child::Child;
pub(crate) use directory::create_socket_directory;
pub(crate) use peer::Peer;
pub(crate) use spawn::{SpawnSpec, Stdin};

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

/// Runs `task` on the thread from which plugins are started, one after the other.
///
/// # Errors
///
/// When that thread cannot be started or reached; `task` does not run then.
pub(crate) fn on_launcher(task: impl FnOnce() + Send + 'static) -> Result<(), LaunchError> {
    launcher::run(task).map_err(LaunchError::start(Step::Launcher))
}
