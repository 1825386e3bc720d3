//! Launch parameters: the required ones as states of a builder, the optional ones as methods.
//! Starts nothing before [`LaunchBuilder::launch`].

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::parameters::LaunchParameters;
use super::{Plugin, start};
use crate::event::{NoRecorder, Recorder};
use crate::launch::{Environment, Stdin};
use crate::timing::host::DEFAULT_START_TIMEOUT;
use crate::verify::VerifiedPlugin;
use crate::{Error, Protocol};

/// Builds the launch of a verified plugin. Its states are the decisions that only the caller can
/// make; every other parameter has a default, which is the strict one. Each clone launches the same
/// plugin once more.
#[derive(Debug, Clone)]
#[must_use = "nothing is launched before `launch`"]
pub struct LaunchBuilder<State>(State);

/// The protocol is to be given.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WantsProtocol {
    plugin: VerifiedPlugin,
}

/// The environment of the plugin is to be given.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WantsEnvironment {
    plugin: VerifiedPlugin,
    protocol: Protocol,
}

impl Plugin {
    /// Begins the launch of a verified plugin.
    pub fn builder(plugin: VerifiedPlugin) -> LaunchBuilder<WantsProtocol> {
        LaunchBuilder(WantsProtocol { plugin })
    }
}

impl LaunchBuilder<WantsProtocol> {
    /// Sets the cookie and the versions of the application's protocol.
    pub fn with_protocol(self, protocol: Protocol) -> LaunchBuilder<WantsEnvironment> {
        LaunchBuilder(WantsEnvironment { plugin: self.0.plugin, protocol })
    }
}

impl LaunchBuilder<WantsEnvironment> {
    /// Sets the environment of the plugin, besides the variables of the protocol: often
    /// [`Environment::empty`].
    pub fn with_environment(self, environment: Environment) -> LaunchBuilder<LaunchParameters> {
        let WantsEnvironment { plugin, protocol } = self.0;
        LaunchBuilder(LaunchParameters {
            name: plugin.name().into(),
            plugin,
            protocol,
            environment,
            arguments: Vec::new(),
            working_directory: "/".into(),
            runtime_directory: std::env::temp_dir(),
            start_timeout: DEFAULT_START_TIMEOUT,
            stdin: Stdin::Null,
            tcp_loopback: false,
            recorder: Arc::new(NoRecorder),
            message_limit: crate::MESSAGE_LIMIT,
        })
    }
}

impl LaunchBuilder<LaunchParameters> {
    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.0.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.0.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets the name that the plugin sees as its own (`argv[0]`), instead of the path that was
    /// verified; for a plugin that is a directory, instead of the path of its program in it.
    pub fn with_name(mut self, name: impl Into<OsString>) -> Self {
        self.0.name = name.into();
        self
    }

    /// Sets the plugin's working directory, instead of `/`.
    pub fn with_working_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.0.working_directory = directory.into();
        self
    }

    /// Sets the parent of the launch's private directory, instead of the system's directory for
    /// temporary files. The path must be short enough for the address of a socket, and only root
    /// and this user may be able to rename the entries of the directory.
    pub fn with_runtime_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.0.runtime_directory = directory.into();
        self
    }

    /// Limits the time from the call of [`launch`](Self::launch) to the plugin's first answer,
    /// instead of 30 seconds. A launch that fails returns at most two seconds later: the host needs
    /// them to end the process and to read its last output.
    pub fn with_start_timeout(mut self, timeout: Duration) -> Self {
        self.0.start_timeout = timeout;
        self
    }

    /// Lets the plugin read the host's own standard input, as go-plugin hosts do. For plugins that
    /// talk to a person at the terminal.
    ///
    /// # Security
    ///
    /// The plugin reads all input that is typed or piped to the host, and a plugin that has the
    /// host's terminal can change its settings.
    pub fn inherit_stdin(mut self) -> Self {
        self.0.stdin = Stdin::Inherit;
        self
    }

    /// Lets the plugin listen on a loopback address instead of a Unix socket.
    ///
    /// # Security
    ///
    /// Every local user can connect to such a listener, and the kernel does not reveal which
    /// process owns it. Of the three layers that identify the peer, only the pinned certificate
    /// remains. The report says so ([`PeerCheck::CertificateOnly`]).
    ///
    /// [`PeerCheck::CertificateOnly`]: crate::host::PeerCheck::CertificateOnly
    pub fn allow_tcp_loopback(mut self) -> Self {
        self.0.tcp_loopback = true;
        self
    }

    /// Records the launch, the plugin's calls and its end: in an audit log, or in the
    /// application's own way.
    ///
    /// Nothing starts before the intent is recorded, and [`launch`](Self::launch) returns only
    /// after the proofs are; every guarantee that the host gives up is recorded too. Calls through
    /// [`Plugin::channel`] are recorded as [`CallLayer`](crate::host::CallLayer) describes. An
    /// audit log must not be stored where the plugin is: in or below the policy's plugin directory,
    /// beside the plugin's file, or among its files.
    pub fn with_recorder(mut self, recorder: Arc<dyn Recorder>) -> Self {
        self.0.recorder = recorder;
        self
    }

    /// Refuses messages of the plugin with more than `limit` bytes as soon as they begin, instead
    /// of 64 MiB, and records the refusal. Without a recorder this has no effect: the clients that
    /// tonic generates have a limit of their own, which is 4 MiB unless it is set with
    /// `max_decoding_message_size`.
    pub fn with_message_limit(mut self, limit: usize) -> Self {
        self.0.message_limit = limit;
        self
    }

    /// Launches the plugin, and returns when it has answered over the secured connection.
    ///
    /// The plugin belongs to the tokio runtime of the caller and must not outlive it: the host's
    /// tasks there read its output and notice its exit. Dropping the future at any point leaves no
    /// process, descriptor or directory behind.
    ///
    /// # Errors
    ///
    /// [`Error::Identity`] and [`Error::Launch`] when the process was not started. [`Error::Start`]
    /// when the process did not become ready; it was killed. [`Error::Record`] when the launch
    /// could not be recorded: nothing was started, or the process was killed.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and in one without I/O and time.
    pub async fn launch(self) -> Result<Plugin, Error> {
        start::start(self.0).await
    }
}
