//! The launch as a list: most steps take the proof that the step before them made, so that they
//! cannot be left out or moved. The health check and the records return no proof; their place is
//! fixed only here.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::output::{self, Output};
use super::parameters::LaunchParameters;
use super::process::Process;
use super::recording::LaunchRecorder;
use super::timings::Stopwatch;
use super::{LaunchReport, Plugin, Timings};
use crate::error::{Error, StartError, StartFault, StartPhase};
use crate::fs::PrivateDirectory;
use crate::handshake::{Agreed, Announcement, HandshakeError, Offer};
use crate::launch::{self, Hardening, LaunchError, PeerCheck, Running, SpawnSpec, Step};
use crate::timing::host::{EXIT_AFTER_CLOSE, FAILED_START_KILL, FAILURE_RECORD, FAR_FUTURE, READ_AFTER_EXIT};
use crate::tls::{Identity, Pin};
use crate::transport::{CheckedConnection, DisconnectHandle, Http2Channel, TlsSession};
use crate::verify::{Attestation, Digest, ExecMode, Subject, VerifiedPlugin};
use crate::{Protocol, rpc, tls};

/// The port range that go-plugin hosts send. Only plugins that listen on TCP read it.
const PORTS: [(&str, &str); 2] = [("PLUGIN_MIN_PORT", "10000"), ("PLUGIN_MAX_PORT", "25000")];

pub(super) async fn start(parameters: LaunchParameters) -> Result<Plugin, Error> {
    let now = Instant::now();
    let watch = Stopwatch::started_at(now);
    let deadline = now.checked_add(parameters.start_timeout).unwrap_or(now + FAR_FUTURE);
    let recorder =
        timeout_at(deadline, LaunchRecorder::begin(&parameters)).await.map_err(|_| LaunchError::Timeout)??;
    match launch(parameters, watch, deadline, &recorder).await {
        Ok(launched) => Ok(launched.finish(recorder)),
        Err(error) => {
            // The recorder already has the event, and writes it when it can. A disk that hangs must
            // not block the caller.
            let _ = timeout(FAILURE_RECORD, recorder.failed(&error)).await;
            Err(error)
        }
    }
}

async fn launch(
    parameters: LaunchParameters,
    watch: Stopwatch,
    deadline: Instant,
    recorder: &LaunchRecorder,
) -> Result<Launched, Error> {
    let identity = Identity::generate().map_err(Error::Identity)?;
    let directory = launch::create_socket_directory(&parameters.runtime_directory)?;
    let sockets = directory.path().to_path_buf();
    let offered = OfferedTerms {
        protocol: parameters.protocol.clone(),
        tcp_loopback: parameters.tcp_loopback,
        sockets,
        identity,
    };
    let summary = PluginSummary::of(&parameters.plugin);
    let spec = spawn_spec(parameters, &offered, directory)?;
    let running = timeout_at(deadline, spawn(spec)).await.map_err(|_| LaunchError::Timeout)??;
    tracing::debug!(pid = running.child.pid(), digest = %summary.digest, mode = %summary.mode, "a plugin's process was started");

    let mut starting = Starting::watch(running, watch)?;
    let established = match starting.establish_while_alive(&offered, deadline).await {
        Ok(established) => established,
        Err(fault) => return Err(starting.fail(fault).await.into()),
    };
    let report = starting.report(&established, &offered, summary, recorder);
    // The last step before the caller gets a channel: no call may precede the durable record of who
    // answers it.
    match within(deadline, StartPhase::Record, recorder.ready(&report)).await {
        Ok(Ok(())) => Ok(Launched { starting, established, report }),
        Ok(Err(error)) => {
            starting.kill().await;
            Err(error)
        }
        Err(fault) => Err(starting.fail(fault).await.into()),
    }
}

/// The terms that this launch offers to the plugin.
struct OfferedTerms {
    protocol: Protocol,
    tcp_loopback: bool,
    sockets: std::path::PathBuf,
    identity: Identity,
}

/// The facts about the plugin for the report, kept because the plugin moves into the process.
struct PluginSummary {
    digest: Digest,
    manifest: Option<Digest>,
    attestations: Vec<Attestation>,
    mode: ExecMode,
    cached: bool,
}

impl PluginSummary {
    fn of(plugin: &VerifiedPlugin) -> Self {
        let manifest = match plugin.subject() {
            Subject::Manifest(digest) => Some(digest),
            Subject::File(_) => None,
        };
        let attestations = plugin.attestations().to_vec();
        Self { digest: plugin.digest(), manifest, attestations, mode: plugin.mode(), cached: plugin.was_cached() }
    }
}

fn spawn_spec(
    parameters: LaunchParameters,
    offered: &OfferedTerms,
    directory: PrivateDirectory,
) -> Result<SpawnSpec, LaunchError> {
    let environment = parameters.environment.block(&protocol_variables(offered, directory.path()))?;
    let before = parameters.plugin.arguments().iter().cloned();
    Ok(SpawnSpec {
        arguments: [parameters.name].into_iter().chain(before).chain(parameters.arguments).collect(),
        plugin: parameters.plugin,
        environment,
        working_directory: parameters.working_directory,
        stdin: parameters.stdin,
        directory,
    })
}

fn protocol_variables(offered: &OfferedTerms, directory: &Path) -> Vec<(String, OsString)> {
    let versions: Vec<_> = offered.protocol.versions.iter().map(u32::to_string).collect();
    let (cookie, value) = offered.protocol.cookie.clone();
    let mut variables = vec![
        (cookie, value.into()),
        ("PLUGIN_PROTOCOL_VERSIONS".into(), versions.join(",").into()),
        ("PLUGIN_CLIENT_CERT".into(), offered.identity.certificate_pem().into()),
        ("PLUGIN_UNIX_SOCKET_DIR".into(), directory.into()),
    ];
    variables.extend(PORTS.map(|(name, value)| (name.into(), value.into())));
    variables
}

/// Starts the process on the launcher thread. If this future is dropped, that thread does not start
/// the process, or kills it.
async fn spawn(spec: SpawnSpec) -> Result<Running, LaunchError> {
    let (sender, receiver) = oneshot::channel();
    launch::on_launcher(move || {
        if !sender.is_closed() {
            drop(sender.send(spec.spawn()));
        }
    })?;
    receiver.await.unwrap_or_else(|_| {
        let source = std::io::Error::other("the launcher thread gave no answer");
        Err(LaunchError::Start { step: Step::Launcher, source })
    })
}

/// A process that is not ready yet. Dropping it kills the process.
struct Starting {
    process: Process,
    stdout: UnixStream,
    stderr: Output,
    environment: Vec<OsString>,
    hardening: Vec<Hardening>,
    watch: Stopwatch,
    /// How long it took to start the process.
    started_in: Duration,
}

/// A connection over which the plugin has answered, and its proofs.
struct Established {
    announcement: Announcement,
    pin: Pin,
    check: PeerCheck,
    session: TlsSession,
    timings: Timings,
    disconnect: DisconnectHandle,
    channel: Http2Channel,
}

impl Starting {
    fn watch(running: Running, mut watch: Stopwatch) -> Result<Self, LaunchError> {
        let started_in = watch.step();
        let failed = |source| LaunchError::Start { step: Step::Prepare, source };
        let stdout = output::stream(running.stdout).map_err(failed)?;
        let stderr = output::stream(running.stderr).map_err(failed)?;
        let process =
            Process::watch(running.child).map_err(|source| LaunchError::Start { step: Step::ProcessHandle, source })?;
        // Read from the start: a plugin that logs much before its handshake line would block on a
        // full socket.
        let stderr = Output::drain("stderr", process.child().pid(), stderr, process.end());
        Ok(Self {
            process,
            stdout,
            stderr,
            environment: running.names,
            hardening: running.hardening,
            watch,
            started_in,
        })
    }

    /// Establishes the connection, and fails if the launched process ends before that. A process
    /// that it forked could finish the handshake in its place, but is not the launched process.
    async fn establish_while_alive(
        &mut self,
        offered: &OfferedTerms,
        deadline: Instant,
    ) -> Result<Established, StartFault> {
        let mut end = self.process.end();
        let ended = async {
            end.wait().await;
            // A process that has ended may have left a line in the socket, whose error says more
            // than its exit.
            tokio::time::sleep(READ_AFTER_EXIT).await;
        };
        let established = tokio::select! {
            biased;
            established = self.establish(offered, deadline) => established?,
            () = ended => return Err(StartFault::Exited),
        };
        // The process may have ended after it answered: then its successor on the socket, if there
        // is one, is not the launched process.
        if self.process.exit().is_some() { Err(StartFault::Exited) } else { Ok(established) }
    }

    /// Everything between the start of the process and its first answer.
    async fn establish(&mut self, offered: &OfferedTerms, deadline: Instant) -> Result<Established, StartFault> {
        let line = within(deadline, StartPhase::HandshakeLine, output::handshake_line(&mut self.stdout))
            .await?
            .map_err(StartFault::Handshake)?;
        let handshake_line = self.watch.step();
        let Agreed { announcement, address, certificate } =
            offered.offer().accept(&line).map_err(StartFault::Handshake)?;
        let pin = Pin::new(certificate).map_err(|fault| StartFault::Handshake(HandshakeError::Certificate(fault)))?;
        let config = tls::client(&offered.identity, &pin).map_err(StartFault::Tls)?;

        let connection =
            within(deadline, StartPhase::Connection, CheckedConnection::open(&address, self.process.child()))
                .await?
                .map_err(StartFault::Transport)?;
        let check = connection.check;
        let connected = self.watch.step();
        let disconnect = connection.disconnect_handle();
        let secured = within(deadline, StartPhase::Tls, connection.secure(config)).await?.map_err(StartFault::Tls)?;
        let session = secured.session.clone();
        let tls = self.watch.step();
        let channel =
            within(deadline, StartPhase::Http2, Http2Channel::start(secured)).await?.map_err(StartFault::Transport)?;
        let http2 = self.watch.step();
        // With TLS 1.3 a client believes itself connected before the server has judged its
        // certificate (RFC 8446, section 2): only an answer proves that both ends accepted.
        within(deadline, StartPhase::Health, rpc::check_health(channel.clone())).await?.map_err(StartFault::Rpc)?;
        let timings = Timings {
            process: self.started_in,
            handshake_line,
            connection: connected,
            tls,
            http2,
            health: self.watch.step(),
        };
        Ok(Established { announcement, pin, check, session, timings, disconnect, channel })
    }

    fn report(
        &mut self,
        established: &Established,
        offered: &OfferedTerms,
        summary: PluginSummary,
        recorder: &LaunchRecorder,
    ) -> LaunchReport {
        LaunchReport {
            launch: recorder.launch(),
            pid: self.process.child().pid(),
            digest: summary.digest,
            manifest: summary.manifest,
            attestations: summary.attestations,
            mode: summary.mode,
            cached: summary.cached,
            version: established.announcement.version,
            handshake: established.announcement.clone(),
            peer_check: established.check,
            tls_version: established.session.version.clone(),
            cipher_suite: established.session.suite.clone(),
            alpn: established.session.alpn.clone(),
            host_certificate: Digest::of(offered.identity.certificate()),
            plugin_certificate: established.pin.fingerprint(),
            plugin_key: established.pin.key(),
            environment: std::mem::take(&mut self.environment),
            hardening: std::mem::take(&mut self.hardening),
            timings: established.timings,
        }
    }

    async fn kill(&self) {
        self.process.kill();
        self.process.ended_within(FAILED_START_KILL).await;
    }

    /// Kills the process, and collects its exit and the end of its standard error.
    async fn fail(mut self, fault: StartFault) -> Box<StartError> {
        // A closed connection is often the first sign of an exit, a moment before the kernel
        // reports it.
        let exit = match fault.may_be_an_exit() {
            true => self.process.ended_within(EXIT_AFTER_CLOSE).await,
            false => self.process.exit(),
        };
        self.kill().await;
        let stderr = self.stderr.tail_at_end().await;
        let pid = self.process.child().pid();
        tracing::warn!(pid, %fault, "a plugin did not start");
        Box::new(StartError { fault, exit, stderr })
    }
}

/// A process that has answered, with its connection and its report.
struct Launched {
    starting: Starting,
    established: Established,
    report: LaunchReport,
}

impl Launched {
    fn finish(self, recorder: LaunchRecorder) -> Plugin {
        let Self { starting: Starting { process, stdout, stderr, .. }, established, report } = self;
        // Output after the handshake line has no meaning, but a full socket would block the plugin:
        // read and drop it.
        let stdout = Output::drain("stdout", report.pid, stdout, process.end());
        tokio::spawn(rpc::drain_stdio(established.channel.clone()));
        let LaunchReport { pid, digest, mode, version, .. } = report;
        tracing::info!(pid, %digest, %mode, version, "a plugin is ready");
        Plugin::new(process, established.channel, established.disconnect, [stderr, stdout], report, recorder.live(pid))
    }
}

impl OfferedTerms {
    fn offer(&self) -> Offer<'_> {
        Offer {
            versions: &self.protocol.versions,
            directory: &self.sockets,
            tcp_loopback: self.tcp_loopback,
            certificate: self.identity.certificate(),
        }
    }
}

/// Waits for `what` until the deadline of the launch, which all phases share.
async fn within<T>(deadline: Instant, waiting_for: StartPhase, what: impl Future<Output = T>) -> Result<T, StartFault> {
    timeout_at(deadline, what).await.map_err(|_| StartFault::Timeout { waiting_for })
}
