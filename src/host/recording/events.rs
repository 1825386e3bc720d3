//! What is known of plugins and launches, as the events of the audit log have it: in plain values,
//! escaped and cut. Records nothing.

use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use crate::Chain;
use crate::error::{Error, StartError, StartFault};
use crate::event::{
    ConnectionEstablished, Event, GuaranteeWeakened, HandshakeReceived, LaunchFailed, LaunchId, LaunchIntent,
    LimitReached, PluginReady, PluginVerification, Recorder, VerificationVerdict, VerifiedImage, text,
};
use crate::handshake::HandshakeError;
use crate::host::{LaunchReport, builder};
use crate::launch::{LaunchError, Stdin};
use crate::verify::{Decision, ExecMode, Subject, VerifiedPlugin, VerifyError};

/// The answer of a policy.
pub(super) fn verification(decision: &Decision) -> Event {
    let (verdict, reason, image) = match decision.outcome() {
        Ok(plugin) => (VerificationVerdict::Allowed, None, Some(image(plugin))),
        Err(error) => (verdict(error), Some(text(Chain::of(error).to_string())), None),
    };
    Event::Verification(PluginVerification {
        plugin: text(decision.path().as_os_str().as_bytes()),
        verdict,
        reason,
        image,
        findings: decision.findings().iter().map(shown).collect(),
    })
}

fn verdict(error: &VerifyError) -> VerificationVerdict {
    if error.is_refusal() { VerificationVerdict::Refused } else { VerificationVerdict::Unchecked }
}

/// In words, which are escaped already where that is needed.
fn shown(what: &impl ToString) -> String {
    text(what.to_string())
}

fn image(plugin: &VerifiedPlugin) -> VerifiedImage {
    let manifest = match plugin.subject() {
        Subject::Manifest(digest) => Some(digest),
        Subject::File(_) => None,
    };
    VerifiedImage {
        sha256: plugin.digest(),
        manifest,
        size: plugin.size(),
        mode: plugin.mode().to_string(),
        cached: plugin.was_cached(),
        attestations: plugin.attestations().iter().map(shown).collect(),
    }
}

/// A launch that is about to begin.
pub(super) fn launch(ready: &builder::Ready, recorder: &dyn Recorder, launch: LaunchId) -> Event {
    let arguments = ready.plugin.arguments().iter().chain(&ready.arguments);
    Event::Launch(LaunchIntent {
        launch,
        plugin: text(ready.plugin.path().as_os_str().as_bytes()),
        image: image(&ready.plugin),
        arguments: arguments.filter_map(|argument| recorder.keyed_hash(argument.as_bytes())).collect(),
        versions: ready.protocol.versions.iter().copied().collect(),
        timeout_ms: milliseconds(ready.start_timeout),
    })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Every guarantee that the host gives up.
pub(super) fn weakened(ready: &builder::Ready, launch: LaunchId) -> Vec<Event> {
    let switches = [
        (ready.stdin == Stdin::Inherit, "inherit_stdin"),
        (ready.tcp_loopback, "allow_tcp_loopback"),
        (ready.plugin.mode() == ExecMode::PinnedFd, "dangerous_with_pinned_fd"),
        (ready.environment.inherits_all(), "inherit_env"),
    ];
    let switches = switches.into_iter().filter(|(used, _)| *used).map(|(_, switch)| (switch, None));
    let variables = ready.environment.dangerous().map(|name| ("dangerous_set", Some(text(name.as_bytes()))));
    let weakened = |(switch, on): (&str, _)| Event::Weakened(GuaranteeWeakened { launch, switch: switch.into(), on });
    switches.chain(variables).map(weakened).collect()
}

/// What a plugin said, who it is, and what is enforced on it.
pub(super) fn ready(report: &LaunchReport, launch: LaunchId) -> [Event; 3] {
    let handshake = HandshakeReceived {
        launch,
        pid: report.pid,
        version: report.version,
        line: text(report.handshake.to_string()),
    };
    let connection = ConnectionEstablished {
        launch,
        peer_check: shown(&report.peer_check),
        tls: text(&report.tls_version),
        suite: text(&report.cipher_suite),
        host_certificate: report.host_certificate,
        plugin_certificate: report.plugin_certificate,
        plugin_key: shown(&report.plugin_key),
    };
    let ready = PluginReady {
        launch,
        pid: report.pid,
        environment: report.environment.iter().map(|name| text(name.as_bytes())).collect(),
        hardening: report.hardening.iter().map(shown).collect(),
        took_us: u64::try_from(report.timings.total().as_micros()).unwrap_or(u64::MAX),
    };
    [Event::Handshake(handshake), Event::Connection(connection), Event::Ready(ready)]
}

/// A launch that came to nothing.
pub(super) fn failed(error: &Error, launch: LaunchId) -> Event {
    let (reason, exit) = match error {
        // What the plugin wrote to its standard error is not for the log.
        Error::Start(start) => (Chain::of(&start.fault).to_string(), start.exit.map(|exit| exit.to_string())),
        error => (Chain::of(error).to_string(), None),
    };
    Event::LaunchFailed(LaunchFailed { launch, refused: error.is_refusal(), reason: text(reason), exit })
}

/// A launch that nobody waited for.
pub(super) fn cancelled(launch: LaunchId) -> Event {
    Event::LaunchFailed(LaunchFailed { launch, refused: false, reason: "cancelled".into(), exit: None })
}

/// The limit that a launch came to, if it did.
pub(super) fn limit(error: &Error, launch: LaunchId, start_timeout: Duration) -> Option<Event> {
    let start = |fault: &StartFault| match fault {
        StartFault::Handshake(HandshakeError::TooLong { limit, .. }) => Some(("handshake line bytes", *limit as u64)),
        StartFault::Timeout { .. } => Some(("start milliseconds", milliseconds(start_timeout))),
        _ => None,
    };
    let (limit, allowed) = match error {
        Error::Start(error) => {
            let StartError { fault, .. } = &**error;
            start(fault)?
        }
        Error::Launch(LaunchError::Timeout) => ("start milliseconds", milliseconds(start_timeout)),
        _ => return None,
    };
    Some(Event::Limit(LimitReached { launch: Some(launch), call: None, limit: limit.into(), allowed, found: None }))
}
