//! One life of a plugin, from its verification to its end, and what was seen of it. Shows nothing.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;

use cli_support::Signals;
use portcullis::host::{Ending, EnvironmentError, LaunchReport, Plugin, Services, ServicesError, Shutdown};
use portcullis::verify::SourceError;
use portcullis::{Chain, Error, Escaped};

use super::Arguments;
use crate::timing::{CRASH_WAIT, LIST_SERVICES_TIMEOUT, SHUTDOWN_GRACE};

/// What was seen of a plugin that became ready. It has ended, or was killed.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) report: LaunchReport,
    pub(super) services: Result<Services, ServicesError>,
    pub(super) shutdown: Shutdown,
    /// The last that it wrote to its standard error. Foreign text.
    pub(super) stderr: Vec<u8>,
}

impl Seen {
    /// Why the probe did not succeed all the same.
    pub(super) fn trouble(&self) -> Option<String> {
        match (self.shutdown, &self.services) {
            (Shutdown { exit: None, .. }, _) => Some("the plugin was killed and has not ended yet".into()),
            (Shutdown { ending: Ending::Exited, exit: Some(exit), .. }, _) => {
                Some(format!("the plugin ended by itself with {exit}"))
            }
            (_, Err(error)) => Some(error.to_string()),
            _ => None,
        }
    }
}

/// Why a plugin did not become ready.
#[derive(Debug)]
pub(super) enum ProbeError {
    /// A variable that it was to have is refused. Nothing was started.
    Environment(EnvironmentError),
    /// A variable that it was to have is not set here. Nothing was started.
    NotSet(OsString),
    /// There is no runtime to launch it in. Nothing was started.
    Runtime(io::Error),
    /// Somebody wanted no more of it (SIGINT, SIGTERM). The plugin was killed, if it was started.
    Interrupted,
    /// Something that was to vouch for the plugin cannot be used. Nothing was started.
    Source(SourceError),
    /// What the library says.
    Launch(Error),
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(error) => write!(f, "{error}"),
            Self::NotSet(name) => write!(f, "the environment variable {:?} is not set", Escaped::new(name.as_bytes())),
            Self::Runtime(error) => write!(f, "a plugin cannot be launched here: {error}"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Source(error) => write!(f, "{}", Chain::of(error)),
            Self::Launch(error) => write!(f, "{}", Chain::of(error)),
        }
    }
}

/// Launches the plugin and shuts it down. Returns within the time that was allowed for the start,
/// and ten seconds.
pub(super) fn probe(arguments: &Arguments) -> Result<Seen, ProbeError> {
    let environment = arguments.environment()?;
    let builder = arguments.builder(arguments.verify()?, environment);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ProbeError::Runtime)?;
    runtime.block_on(async {
        let mut signals = Signals::catch().map_err(ProbeError::Runtime)?;
        tokio::select! {
            seen = async { Ok(look_at(builder.launch().await.map_err(ProbeError::Launch)?).await) } => seen,
            // Dropping the launch kills the plugin and removes its directory.
            () = signals.received() => Err(ProbeError::Interrupted),
        }
    })
}

async fn look_at(plugin: Plugin) -> Seen {
    let services = plugin.services(LIST_SERVICES_TIMEOUT).await;
    if matches!(services, Err(ServicesError::Status { .. })) {
        // It is asked to exit next, whether it has ended or not.
        let _ = tokio::time::timeout(CRASH_WAIT, plugin.exited()).await;
    }
    let shutdown = plugin.shutdown(SHUTDOWN_GRACE).await;
    Seen { report: plugin.report().clone(), services, shutdown, stderr: plugin.stderr_tail() }
}
