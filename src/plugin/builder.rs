//! What a plugin serves, said in `main`. Calling [`builder`] already takes standard output away;
//! nothing else happens before [`ServeBuilder::serve`].

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

/// How long calls that are under way may take after the host has asked the plugin to exit.
/// go-plugin hosts kill after two seconds.
const DRAIN: Duration = Duration::from_millis(1500);

type BoxError = Box<dyn Error + Send + Sync>;

/// Sets up the services of one version.
pub(super) type Setup = Box<dyn FnOnce() -> SettingUp + Send>;
type SettingUp = std::pin::Pin<Box<dyn Future<Output = Result<Routes, BoxError>> + Send>>;

/// Begins a plugin with the cookie by which its hosts make themselves known. To be called first
/// thing in `main`.
///
/// When a host launched the program, this takes standard output for the handshake: what is printed
/// from now on goes to standard error, so that an early `println!` breaks nothing. When a person
/// started it, standard output stays what it is.
pub fn builder(cookie_key: &str, cookie_value: &str) -> ServeBuilder {
    let output = if cookie_key.is_empty() || cookie_value.is_empty() {
        Err(ServeError::Misconfigured { what: "cookie" })
    } else if std::env::var_os(cookie_key).is_none_or(|value| value != cookie_value) {
        Err(ServeError::NotLaunched)
    } else {
        HandshakeOutput::claim().map_err(ServeError::Stdout)
    };
    // Asked as early as can be: should the host end right now, its number must not be taken for
    // another's.
    let parent = rustix::process::getppid();
    ServeBuilder { output, parent, versions: BTreeMap::new(), allow_plaintext: false, drain: DRAIN }
}

/// A plugin that does not serve yet.
#[must_use = "nothing is served before `serve`"]
pub struct ServeBuilder {
    pub(super) output: Result<HandshakeOutput, ServeError>,
    pub(super) parent: Option<Pid>,
    pub(super) versions: BTreeMap<u32, Setup>,
    pub(super) allow_plaintext: bool,
    pub(super) drain: Duration,
}

impl ServeBuilder {
    /// Serves these services to hosts that speak `version` of the application's protocol. Of
    /// several versions the highest that the host speaks too is set up, and only that one.
    ///
    /// `services` runs after the environment was checked and before the host is told where the
    /// plugin listens, on the plugin's runtime. If it fails, the plugin exits with its error on
    /// standard error.
    ///
    /// Health and the controller are added to these services: `services` must not contain
    /// `grpc.health.v1.Health` or a service of the package `plugin`.
    ///
    /// tonic's generated servers take messages up to 4 MiB; go-plugin hosts may send more. Set
    /// `max_decoding_message_size` to what the plugin is ready to take, for example
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

    /// Whether a host launched the program: what a plugin reads from its arguments is of no use to
    /// it otherwise.
    pub fn was_launched(&self) -> bool {
        self.output.is_ok()
    }

    /// Also serves hosts that offer no certificate, in plain text.
    ///
    /// # Security
    ///
    /// Every process of this user can then call the plugin, and read what passes if it may trace
    /// either side. A host that offers a certificate is still served over mutual TLS only.
    pub fn dangerous_allow_plaintext(mut self) -> Self {
        self.allow_plaintext = true;
        self
    }

    /// How long calls that are under way may take after the host has asked the plugin to exit,
    /// instead of 1.5 seconds. go-plugin hosts kill a plugin after two.
    pub fn with_drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Serves until the host asks the plugin to exit, or is gone, or SIGTERM comes; SIGINT is
    /// ignored, because a terminal sends it to host and plugin alike and the host decides. Runs on
    /// this thread.
    ///
    /// Returns what `main` returns: success after an orderly end; 1 after an error, which it has
    /// written to standard error.
    pub fn serve(self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let result = match runtime {
            // What a person sees by starting the program must not depend on anything else.
            Ok(runtime) => runtime.block_on(self.run()),
            Err(error) => Err(ServeError::System { doing: "starting the asynchronous runtime", source: error }),
        };
        match result {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // Nobody may be listening any more.
                let _ = write_error(&mut io::stderr(), &error);
                ExitCode::FAILURE
            }
        }
    }

    /// As [`serve`](Self::serve), on a runtime of the caller's, with I/O and time enabled.
    ///
    /// # Errors
    ///
    /// When the plugin was not launched by a host, or cannot serve. Its socket is removed.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, in one without I/O and time, and if two of the services have the
    /// same name.
    pub async fn run(self) -> Result<(), ServeError> {
        serve::run(self).await
    }
}

impl fmt::Debug for ServeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServeBuilder").field("versions", &self.versions.keys()).finish_non_exhaustive()
    }
}

/// Where the handshake line goes: what was standard output when the plugin started.
///
/// Stays open until the process ends. To a host its end is the end of the plugin, and go-plugin's
/// hosts kill the process at once: before it could write down why it failed.
#[derive(Debug)]
pub(super) struct HandshakeOutput(ManuallyDrop<File>);

impl HandshakeOutput {
    /// Takes standard output for the handshake. What is printed from now on goes to standard error,
    /// where a host takes it for log lines.
    pub(super) fn claim() -> io::Result<Self> {
        // Whatever was printed and not written yet must not come out in the middle of the line.
        let _ = io::stdout().flush();
        let output = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
        Ok(Self(ManuallyDrop::new(output.into())))
    }

    /// Writes the one line.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.write_all(line)
    }
}

fn write_error(output: &mut impl io::Write, error: &ServeError) -> io::Result<()> {
    writeln!(output, "{}", Chain::of(error))
}
