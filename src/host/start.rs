//! The launch as a list: each line needs what the line before it proved, so none can be left out or
//! moved.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::builder::Ready;
use super::output::{self, Output};
use super::process::Process;
use super::recording::LaunchRecorder;
use super::timings::Stopwatch;
use super::{LaunchReport, Plugin, Timings};
use crate::error::{Awaited, Error, StartError, StartFault};
use crate::fs::PrivateDirectory;
use crate::handshake::{Agreed, Announcement, HandshakeError, Offer};
use crate::launch::{self, Hardening, LaunchError, PeerCheck, Running, SpawnSpec, Step};
use crate::tls::{Identity, Pin};
use crate::transport::{CheckedConnection, DisconnectHandle, Http2Channel, TlsSession};
use crate::verify::{Attestation, Digest, ExecMode, Subject, VerifiedPlugin};
use crate::{Protocol, rpc, tls};

/// What go-plugin hosts send. Only plugins that listen on TCP read it.
const PORTS: [(&str, &str); 2] = [("PLUGIN_MIN_PORT", "10000"), ("PLUGIN_MAX_PORT", "25000")];

/// A deadline for those who want none.
const AS_GOOD_AS_NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// How long a plugin that has closed its output or its connection gets to exit by itself, so that
/// its own exit status can be reported.
const EXIT_WAIT: Duration = Duration::from_millis(500);

/// How long what a process left behind is still looked at after its end: its output may hold the
/// reason.
const AFTER_END: Duration = Duration::from_millis(200);

/// How long the end of a killed process is waited for.
const KILL_WAIT: Duration = Duration::from_secs(1);

/// How long the record of a failure is waited for.
const RECORD_WAIT: Duration = Duration::from_secs(1);

pub(super) async fn start(ready: Ready) -> Result<Plugin, Error> {
    let now = Instant::now();
    let watch = Stopwatch::started_at(now);
    let deadline = now.checked_add(ready.start_timeout).unwrap_or(now + AS_GOOD_AS_NEVER);
    let recorder = timeout_at(deadline, LaunchRecorder::begin(&ready)).await.map_err(|_| LaunchError::Timeout)??;
    match launch(ready, watch, deadline, &recorder).await {
        Ok(launched) => Ok(launched.finish(recorder)),
        Err(error) => {
            // A disk that does not answer keeps nobody: the log has the end already, and writes it
            // when it can.
            let _ = timeout(RECORD_WAIT, recorder.failed(&error)).await;
            Err(error)
        }
    }
}

async fn launch(
    ready: Ready,
    watch: Stopwatch,
    deadline: Instant,
    recorder: &LaunchRecorder,
) -> Result<Launched, Error> {
    let identity = Identity::generate().map_err(Error::Identity)?;
    let directory = launch::create_socket_directory(&ready.runtime_directory)?;
    let sockets = directory.path().to_path_buf();
    let terms = Terms { protocol: ready.protocol.clone(), tcp_loopback: ready.tcp_loopback, sockets, identity };
    let facts = Facts::of(&ready.plugin);
    let order = order(ready, &terms, directory)?;
    let running = timeout_at(deadline, spawn(order)).await.map_err(|_| LaunchError::Timeout)??;
    tracing::debug!(pid = running.child.pid(), digest = %facts.digest, mode = %facts.mode, "a plugin's process was started");

    let mut starting = Starting::watch(running, watch)?;
    let met = match starting.meet_while_it_lives(&terms, deadline).await {
        Ok(met) => met,
        Err(fault) => return Err(starting.fail(fault).await.into()),
    };
    let report = starting.report(&met, &terms, facts, recorder);
    match within(deadline, Awaited::Record, recorder.ready(&report)).await {
        Ok(Ok(())) => Ok(Launched { starting, met, report }),
        Ok(Err(error)) => {
            starting.kill().await;
            Err(error)
        }
        Err(fault) => Err(starting.fail(fault).await.into()),
    }
}

/// What this launch agrees to.
struct Terms {
    protocol: Protocol,
    tcp_loopback: bool,
    sockets: std::path::PathBuf,
    identity: Identity,
}

/// What is known before the process starts.
struct Facts {
    digest: Digest,
    manifest: Option<Digest>,
    attestations: Vec<Attestation>,
    mode: ExecMode,
    cached: bool,
}

impl Facts {
    fn of(plugin: &VerifiedPlugin) -> Self {
        let manifest = match plugin.subject() {
            Subject::Manifest(digest) => Some(digest),
            Subject::File(_) => None,
        };
        let attestations = plugin.attestations().to_vec();
        Self { digest: plugin.digest(), manifest, attestations, mode: plugin.mode(), cached: plugin.was_cached() }
    }
}

fn order(ready: Ready, terms: &Terms, directory: PrivateDirectory) -> Result<SpawnSpec, LaunchError> {
    let environment = ready.environment.block(&protocol_variables(terms, directory.path()))?;
    let before = ready.plugin.arguments().iter().cloned();
    Ok(SpawnSpec {
        arguments: [ready.name].into_iter().chain(before).chain(ready.arguments).collect(),
        plugin: ready.plugin,
        environment,
        working_directory: ready.working_directory,
        stdin: ready.stdin,
        directory,
    })
}

fn protocol_variables(terms: &Terms, directory: &Path) -> Vec<(String, OsString)> {
    let versions: Vec<_> = terms.protocol.versions.iter().map(u32::to_string).collect();
    let (cookie, value) = terms.protocol.cookie.clone();
    let mut variables = vec![
        (cookie, value.into()),
        ("PLUGIN_PROTOCOL_VERSIONS".into(), versions.join(",").into()),
        ("PLUGIN_CLIENT_CERT".into(), terms.identity.certificate_pem().into()),
        ("PLUGIN_UNIX_SOCKET_DIR".into(), directory.into()),
    ];
    variables.extend(PORTS.map(|(name, value)| (name.into(), value.into())));
    variables
}

/// Starts the process on the launcher thread. If this future is dropped meanwhile, the process is
/// not started, or killed there.
async fn spawn(order: SpawnSpec) -> Result<Running, LaunchError> {
    let (sender, receiver) = oneshot::channel();
    launch::on_launcher(move || {
        if !sender.is_closed() {
            drop(sender.send(order.spawn()));
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

/// A connection over which the plugin has answered.
struct Met {
    announcement: Announcement,
    pin: Pin,
    check: PeerCheck,
    session: TlsSession,
    timings: Timings,
    hangup: DisconnectHandle,
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

    /// A process that was forked off the plugin could go on where the plugin ended. It is not what
    /// was launched.
    async fn meet_while_it_lives(&mut self, terms: &Terms, deadline: Instant) -> Result<Met, StartFault> {
        let mut end = self.process.end();
        let ended = async {
            end.wait().await;
            tokio::time::sleep(AFTER_END).await;
        };
        let met = tokio::select! {
            biased;
            met = self.meet(terms, deadline) => met?,
            () = ended => return Err(StartFault::Exited),
        };
        if self.process.exit().is_some() { Err(StartFault::Exited) } else { Ok(met) }
    }

    /// Everything between the start of the process and its first answer.
    async fn meet(&mut self, terms: &Terms, deadline: Instant) -> Result<Met, StartFault> {
        let line = within(deadline, Awaited::HandshakeLine, output::handshake_line(&mut self.stdout))
            .await?
            .map_err(StartFault::Handshake)?;
        let handshake_line = self.watch.step();
        let Agreed { announcement, address, certificate } =
            terms.offer().accept(&line).map_err(StartFault::Handshake)?;
        let pin = Pin::new(certificate).map_err(|fault| StartFault::Handshake(HandshakeError::Certificate(fault)))?;
        let config = tls::client(&terms.identity, &pin).map_err(StartFault::Tls)?;

        let connection = within(deadline, Awaited::Connection, CheckedConnection::open(&address, self.process.child()))
            .await?
            .map_err(StartFault::Transport)?;
        let check = connection.check;
        let reached = self.watch.step();
        let hangup = connection.disconnect_handle();
        let secured = within(deadline, Awaited::Tls, connection.secure(config)).await?.map_err(StartFault::Tls)?;
        let session = secured.session.clone();
        let tls = self.watch.step();
        let channel =
            within(deadline, Awaited::Http2, Http2Channel::start(secured)).await?.map_err(StartFault::Transport)?;
        let http2 = self.watch.step();
        within(deadline, Awaited::Health, rpc::check_health(channel.clone())).await?.map_err(StartFault::Rpc)?;
        let timings = Timings {
            process: self.started_in,
            handshake_line,
            connection: reached,
            tls,
            http2,
            health: self.watch.step(),
        };
        Ok(Met { announcement, pin, check, session, timings, hangup, channel })
    }

    fn report(&mut self, met: &Met, terms: &Terms, facts: Facts, recorder: &LaunchRecorder) -> LaunchReport {
        LaunchReport {
            launch: recorder.launch(),
            pid: self.process.child().pid(),
            digest: facts.digest,
            manifest: facts.manifest,
            attestations: facts.attestations,
            mode: facts.mode,
            cached: facts.cached,
            version: met.announcement.version,
            handshake: met.announcement.clone(),
            peer_check: met.check,
            tls_version: met.session.version.clone(),
            cipher_suite: met.session.suite.clone(),
            alpn: met.session.alpn.clone(),
            host_certificate: Digest::of(terms.identity.certificate()),
            plugin_certificate: met.pin.fingerprint(),
            plugin_key: met.pin.key(),
            environment: std::mem::take(&mut self.environment),
            hardening: std::mem::take(&mut self.hardening),
            timings: met.timings,
        }
    }

    async fn kill(&self) {
        self.process.kill();
        self.process.ended_within(KILL_WAIT).await;
    }

    /// Ends the process, and gathers what it left to say.
    async fn fail(mut self, fault: StartFault) -> Box<StartError> {
        let exit = match fault.may_be_an_exit() {
            true => self.process.ended_within(EXIT_WAIT).await,
            false => self.process.exit(),
        };
        self.kill().await;
        let stderr = self.stderr.tail_at_end().await;
        let pid = self.process.child().pid();
        tracing::warn!(pid, %fault, "a plugin did not start");
        Box::new(StartError { fault, exit, stderr })
    }
}

/// A process that has answered, and everything that is known of it.
struct Launched {
    starting: Starting,
    met: Met,
    report: LaunchReport,
}

impl Launched {
    fn finish(self, recorder: LaunchRecorder) -> Plugin {
        let Self { starting: Starting { process, stdout, stderr, .. }, met, report } = self;
        // What the plugin still writes to its standard output has no meaning, and must not block
        // it.
        let stdout = Output::drain("stdout", report.pid, stdout, process.end());
        tokio::spawn(rpc::drain_stdio(met.channel.clone()));
        let LaunchReport { pid, digest, mode, version, .. } = report;
        tracing::info!(pid, %digest, %mode, version, "a plugin is ready");
        Plugin::new(process, met.channel, met.hangup, [stderr, stdout], report, recorder.live(pid))
    }
}

impl Terms {
    fn offer(&self) -> Offer<'_> {
        Offer {
            versions: &self.protocol.versions,
            directory: &self.sockets,
            tcp_loopback: self.tcp_loopback,
            certificate: self.identity.certificate(),
        }
    }
}

/// Waits until the one deadline of the launch, whatever is waited for.
async fn within<T>(deadline: Instant, waiting_for: Awaited, what: impl Future<Output = T>) -> Result<T, StartFault> {
    timeout_at(deadline, what).await.map_err(|_| StartFault::Timeout { waiting_for })
}
