//! Configures a plugin in `main`. [`builder`] already claims standard output for the handshake; the
//! rest happens in [`ServeBuilder::serve`].

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::Pid;
use tonic::service::Routes;

use super::ServeError;
use super::serve;
use crate::Chain;
use crate::timing::plugin::DRAIN;

type BoxError = Box<dyn Error + Send + Sync>;

/// Creates the services of one version.
pub(super) type Setup = Box<dyn FnOnce() -> SettingUp + Send>;
type SettingUp = std::pin::Pin<Box<dyn Future<Output = Result<Routes, BoxError>> + Send>>;

/// Configures a plugin whose hosts set the variable `cookie_key` to `cookie_value`. Call it first
/// in `main`.
///
/// If a host launched the program, this claims standard output for the handshake. Output to
/// standard output then goes to standard error, so that an early `println!` does no harm. If a
/// person started the program, standard output is unchanged.
pub fn builder(cookie_key: &str, cookie_value: &str) -> ServeBuilder {
    let output = if cookie_key.is_empty() || cookie_value.is_empty() {
        Err(ServeError::Misconfigured { what: "cookie" })
    } else if std::env::var_os(cookie_key).is_none_or(|value| value != cookie_value) {
        Err(ServeError::NotLaunched)
    } else {
        HandshakeOutput::claim().map_err(ServeError::Stdout)
    };
    // As early as possible: if the host ends, this process gets another parent, which is not the
    // host.
    let parent = rustix::process::getppid();
    ServeBuilder { output, parent, versions: BTreeMap::new(), allow_plaintext: false, drain: DRAIN }
}

/// A plugin that is being configured.
#[must_use = "`serve` starts the plugin"]
pub struct ServeBuilder {
    pub(super) output: Result<HandshakeOutput, ServeError>,
    pub(super) parent: Option<Pid>,
    pub(super) versions: BTreeMap<u32, Setup>,
    pub(super) allow_plaintext: bool,
    pub(super) drain: Duration,
}

impl ServeBuilder {
    /// Serves `services` to hosts that speak `version` of the application's protocol. If several
    /// versions are common, only the services of the highest are created.
    ///
    /// `services` runs on the plugin's runtime, after the environment was checked and before the
    /// handshake line is written. If it fails, the plugin writes the error to standard error and
    /// exits.
    ///
    /// The plugin also serves health and the controller. `services` must not contain
    /// `grpc.health.v1.Health` or a service of the package `plugin`.
    ///
    /// tonic's generated servers accept messages up to 4 MiB; go-plugin hosts may send larger ones.
    /// Set `max_decoding_message_size` to the size that the plugin can handle, for example
    /// [`MESSAGE_LIMIT`](crate::MESSAGE_LIMIT).
    pub fn version<F, S, E>(mut self, version: u32, services: F) -> Self
    where
        F: FnOnce() -> S + Send + 'static,
        S: Future<Output = Result<Routes, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let setup: Setup = Box::new(|| Box::pin(async { services().await.map_err(Into::into) }));
        self.versions.insert(version, setup);
        self
    }

    /// Whether a host launched the program. If not, [`serve`](Self::serve) fails, and preparations
    /// for it are useless.
    pub fn was_launched(&self) -> bool {
        self.output.is_ok()
    }

    /// Also serves hosts that send no certificate, in plaintext.
    ///
    /// # Security
    ///
    /// With such a host, every process of this user can call the plugin. A host that sends a
    /// certificate is still served over mutual TLS only.
    pub fn dangerous_allow_plaintext(mut self) -> Self {
        self.allow_plaintext = true;
        self
    }

    /// Sets how long calls may run on after the host has asked the plugin to exit. The default is
    /// 1.5 seconds. go-plugin hosts kill a plugin after two.
    pub fn with_drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Serves on this thread until the host asks the plugin to exit, the host has ended, or SIGTERM
    /// arrives. SIGINT is ignored: a terminal sends it to host and plugin, and the host decides.
    ///
    /// Returns the exit code for `main`: success after an orderly end; 1 after an error, which is
    /// written to standard error.
    pub fn serve(self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let result = match runtime {
            Ok(runtime) => runtime.block_on(self.run()),
            Err(error) => Err(ServeError::System { doing: "starting the asynchronous runtime", source: error }),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Fails if standard error is closed. The exit code still reports the error.
                let _ = write_error(&mut io::stderr(), &error);
                ExitCode::FAILURE
            }
        }
    }

    /// As [`serve`](Self::serve), on the caller's runtime, which needs I/O and time.
    ///
    /// # Errors
    ///
    /// If no host launched the plugin, or if it cannot serve. Its socket is removed.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, in one without I/O or time, and if two services have the same name.
    pub async fn run(self) -> Result<(), ServeError> {
        serve::run(self).await
    }
}

impl fmt::Debug for ServeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeBuilder").field("versions", &self.versions.keys()).finish_non_exhaustive()
    }
}

/// The plugin's original standard output, for the handshake line.
///
/// Stays open until the process ends. go-plugin hosts take its end for the end of the plugin and
/// kill the process immediately, before it could write an error.
#[derive(Debug)]
pub(super) struct HandshakeOutput(ManuallyDrop<File>);

impl HandshakeOutput {
    /// Claims standard output, and redirects its descriptor to standard error, which hosts read as
    /// log lines.
    pub(super) fn claim() -> io::Result<Self> {
        // Buffered output must not appear in the handshake line later.
        let _ = io::stdout().flush();
        let output = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
        Ok(Self(ManuallyDrop::new(output.into())))
    }

    /// Writes the handshake line.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.write_all(line)
    }
}

fn write_error(output: &mut impl io::Write, error: &ServeError) -> io::Result<()> {
    writeln!(output, "{}", Chain::of(error))
}
