//! What must be decided before a launch, as types; what may be, as methods. Starts nothing before
//! [`Builder::launch`].

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Plugin;
use super::start;
use crate::event::{NoRecorder, Recorder};
use crate::launch::{Environment, Stdin};
use crate::verify::VerifiedPlugin;
use crate::{Error, Protocol};

/// The way from a verified plugin to a running one. Its states are the decisions that nobody can
/// take for the caller; everything else has a default, which is the strict one. A clone is another
/// launch of the same plugin.
#[derive(Debug, Clone)]
#[must_use = "nothing is launched before `launch`"]
pub struct Builder<State>(State);

/// The protocol is to be decided.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WantsProtocol {
    plugin: VerifiedPlugin,
}

/// What the plugin finds in its environment is to be decided.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WantsEnvironment {
    plugin: VerifiedPlugin,
    protocol: Protocol,
}

/// Ready to launch.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Ready {
    pub(super) plugin: VerifiedPlugin,
    pub(super) protocol: Protocol,
    pub(super) environment: Environment,
    pub(super) name: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) working_directory: PathBuf,
    pub(super) runtime_directory: PathBuf,
    pub(super) start_timeout: Duration,
    pub(super) stdin: Stdin,
    pub(super) tcp_loopback: bool,
    pub(super) recorder: Arc<dyn Recorder>,
    pub(super) message_limit: usize,
}

impl Plugin {
    /// Begins the launch of a verified plugin.
    pub fn builder(plugin: VerifiedPlugin) -> Builder<WantsProtocol> {
        Builder(WantsProtocol { plugin })
    }
}

impl Builder<WantsProtocol> {
    /// The cookie and the versions that the plugin is launched with.
    pub fn with_protocol(self, protocol: Protocol) -> Builder<WantsEnvironment> {
        Builder(WantsEnvironment { plugin: self.0.plugin, protocol })
    }
}

impl Builder<WantsEnvironment> {
    /// What the plugin finds in its environment, besides what the protocol puts there: often
    /// [`Environment::empty`].
    pub fn with_environment(self, environment: Environment) -> Builder<Ready> {
        let WantsEnvironment { plugin, protocol } = self.0;
        Builder(Ready {
            name: plugin.name().into(),
            plugin,
            protocol,
            environment,
            arguments: Vec::new(),
            working_directory: "/".into(),
            runtime_directory: std::env::temp_dir(),
            start_timeout: Duration::from_secs(30),
            stdin: Stdin::Null,
            tcp_loopback: false,
            recorder: Arc::new(NoRecorder),
            message_limit: crate::MESSAGE_LIMIT,
        })
    }
}

impl Builder<Ready> {
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

    /// What the plugin sees as its own name (`argv[0]`), instead of the path that was verified; for
    /// a plugin that is a directory, instead of the path of its own program there.
    pub fn with_name(mut self, name: impl Into<OsString>) -> Self {
        self.0.name = name.into();
        self
    }

    /// The plugin's working directory, instead of `/`.
    pub fn with_working_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.0.working_directory = directory.into();
        self
    }

    /// Where the private directory of the launch is made, instead of the system's directory for
    /// temporary files. It must be short enough for a socket's path, and nobody but root and this
    /// user may be able to rename what is in it.
    pub fn with_runtime_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.0.runtime_directory = directory.into();
        self
    }

    /// How long everything from the call of [`launch`](Self::launch) to the plugin's first answer
    /// may take together, instead of 30 seconds. A launch that fails returns at most two seconds
    /// after that, which go into ending the process and gathering what it said.
    pub fn with_start_timeout(mut self, timeout: Duration) -> Self {
        self.0.start_timeout = timeout;
        self
    }

    /// Lets the plugin read the host's own standard input, as go-plugin hosts do, for plugins that
    /// talk to a person at the terminal.
    ///
    /// # Security
    ///
    /// What is typed or piped there is shared with the plugin, and a plugin that has the host's
    /// terminal can change its settings.
    pub fn inherit_stdin(mut self) -> Self {
        self.0.stdin = Stdin::Inherit;
        self
    }

    /// Lets the plugin listen on a loopback address instead of a Unix socket.
    ///
    /// # Security
    ///
    /// Every local user can connect to such a listener, and the kernel does not tell which process
    /// it belongs to: of the three layers that tell who answers, only the pinned certificate is
    /// left. The report says so ([`PeerCheck::CertificateOnly`]).
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
    /// of 64 MiB, and records it. Of a launch that is not recorded the clients that tonic generates
    /// keep such a limit alone; there, too, it is 4 MiB unless it is set with
    /// `max_decoding_message_size`.
    pub fn with_message_limit(mut self, limit: usize) -> Self {
        self.0.message_limit = limit;
        self
    }

    /// Launches the plugin, and returns when it has answered over the secured connection.
    ///
    /// The plugin belongs to the tokio runtime that this is called in, and must not outlive it: its
    /// outputs are read and its end is noticed there. Cancelling (dropping) the future at any point
    /// leaves no process, descriptor or directory behind.
    ///
    /// # Errors
    ///
    /// [`Error::Identity`] and [`Error::Launch`] when the process was not started, [`Error::Start`]
    /// when it was and did not become ready; it was killed then. [`Error::Record`] when the
    /// launch is to be recorded and could not be: nothing was started, or it was killed.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and in one without I/O and time.
    pub async fn launch(self) -> Result<Plugin, Error> {
        start::start(self.0).await
    }
}
