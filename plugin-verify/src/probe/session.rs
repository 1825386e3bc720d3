//! One run of a plugin, from its verification to its exit, observed as a host would. Prints
//! nothing.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;

use cli_support::Signals;
use portcullis::host::{EnvironmentError, LaunchReport, Plugin, Services, ServicesError, Shutdown, ShutdownPath};
use portcullis::verify::SourceError;
use portcullis::{Chain, Error, Escaped};

use super::Arguments;
use crate::timing::{CRASH_WAIT, LIST_SERVICES_TIMEOUT, SHUTDOWN_GRACE};

/// The observations of a plugin that became ready. It has exited, or was killed.
#[derive(Debug)]
pub(super) struct Observations {
    pub(super) report: LaunchReport,
    pub(super) services: Result<Services, ServicesError>,
    pub(super) shutdown: Shutdown,
    /// The last lines of its standard error. Foreign text.
    pub(super) stderr: Vec<u8>,
}

impl Observations {
    /// Why the probe failed although the plugin became ready.
    pub(super) fn trouble(&self) -> Option<String> {
        match (self.shutdown, &self.services) {
            (Shutdown { exit: None, .. }, _) => Some("the plugin was killed and has not exited yet".into()),
            (Shutdown { path: ShutdownPath::Exited, exit: Some(exit), .. }, _) => {
                Some(format!("the plugin exited before its shutdown: {exit}"))
            }
            (_, Err(error)) => Some(error.to_string()),
            _ => None,
        }
    }
}

/// Why a plugin did not become ready.
#[derive(Debug)]
pub(super) enum ProbeError {
    /// A variable for the plugin is refused. Nothing was started.
    Environment(EnvironmentError),
    /// A variable that the plugin should inherit is not set. Nothing was started.
    NotSet(OsString),
    /// There is no asynchronous runtime to launch it in. Nothing was started.
    Runtime(io::Error),
    /// SIGINT or SIGTERM ended the probe. The plugin was killed if it was started.
    Interrupted,
    /// A trust source cannot be used. Nothing was started.
    Source(SourceError),
    /// The launch failed. The plugin was killed if it was started.
    Launch(Error),
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(error) => write!(f, "{error}"),
            Self::NotSet(name) => write!(f, "the environment variable {:?} is not set", Escaped::new(name.as_bytes())),
            Self::Runtime(error) => write!(f, "cannot start an asynchronous runtime: {error}"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Source(error) => write!(f, "{}", Chain::of(error)),
            Self::Launch(error) => write!(f, "{}", Chain::of(error)),
        }
    }
}

/// Launches the plugin and shuts it down. Returns within the start timeout plus ten seconds.
pub(super) fn probe(arguments: &Arguments) -> Result<Observations, ProbeError> {
    let environment = arguments.environment()?;
    let builder = arguments.builder(arguments.verify()?, environment);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ProbeError::Runtime)?;
    runtime.block_on(async {
        let mut signals = Signals::catch().map_err(ProbeError::Runtime)?;
        tokio::select! {
            observed = async { Ok(observe(builder.launch().await.map_err(ProbeError::Launch)?).await) } => observed,
            // Dropping the launch kills the plugin and removes its directory.
            () = signals.received() => Err(ProbeError::Interrupted),
        }
    })
}

async fn observe(plugin: Plugin) -> Observations {
    let services = plugin.services(LIST_SERVICES_TIMEOUT).await;
    if matches!(services, Err(ServicesError::Status { .. })) {
        // A timeout is not an error: the shutdown below ends a plugin that still runs.
        let _ = tokio::time::timeout(CRASH_WAIT, plugin.exited()).await;
    }
    let shutdown = plugin.shutdown(SHUTDOWN_GRACE).await;
    Observations { report: plugin.report().clone(), services, shutdown, stderr: plugin.stderr_tail() }
}
