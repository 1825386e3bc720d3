//! The parameters of one launch, complete. Only the builder makes them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::Protocol;
use crate::event::Recorder;
use crate::launch::{Environment, Stdin};
use crate::verify::VerifiedPlugin;

/// The final state of a [`LaunchBuilder`](super::LaunchBuilder): every parameter has a value.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LaunchParameters {
    pub(super) plugin: VerifiedPlugin,
    pub(super) protocol: Protocol,
    pub(super) environment: Environment,
    /// `argv[0]`.
    pub(super) name: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) working_directory: PathBuf,
    /// The parent of the private directory.
    pub(super) runtime_directory: PathBuf,
    pub(super) start_timeout: Duration,
    pub(super) stdin: Stdin,
    pub(super) tcp_loopback: bool,
    pub(super) recorder: Arc<dyn Recorder>,
    /// Bytes of the largest message that a recorded call takes from the plugin.
    pub(super) message_limit: usize,
}
