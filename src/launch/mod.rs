//! Stage 2: a [`VerifiedPlugin`](crate::verify::VerifiedPlugin) becomes a [`Running`] process that got nothing it was not given.
//!
//! Owns processes, descriptors, the environment and the private directory; knows neither the handshake nor TLS, and
//! waits for nothing. Dropping a [`Running`] kills the process and its group and removes the directory.

mod child;
mod directory;
mod environment;
mod error;
mod launcher;
mod measure;
mod order;
#[expect(unsafe_code, reason = "system calls that no safe wrapper offers")]
mod sys;

use std::ffi::OsString;
use std::os::unix::net::UnixStream;

pub use child::{Exit, PeerCheck};
pub use environment::{Environment, EnvironmentError, EnvironmentFault};
pub use error::{LaunchError, Step};
pub use measure::Measure;

pub(crate) use child::{Child, Peer};
pub(crate) use directory::PrivateDirectory;
pub(crate) use environment::Block;
pub(crate) use order::{Order, Stdin};
pub(crate) use sys::{peer_credentials, watch};

/// A plugin's process, with everything that belongs to it.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdout: UnixStream,
    pub(crate) stderr: UnixStream,
    /// The names of the variables in its environment.
    pub(crate) names: Vec<OsString>,
    pub(crate) measures: Vec<Measure>,
}

/// Starts a plugin on the launcher thread and gives `report` the result there. If `report` drops the result, the process is killed.
///
/// # Errors
///
/// When the launcher thread cannot be started or reached; `report` is not called then.
pub(crate) fn launch(
    order: Order,
    report: impl FnOnce(Result<Running, LaunchError>) + Send + 'static,
) -> Result<(), LaunchError> {
    launcher::run(move || report(order.start())).map_err(LaunchError::start(Step::Launcher))
}
