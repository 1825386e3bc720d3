//! Makes the events of verifications and launches from the values of the stages: plain values,
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
use crate::host::LaunchReport;
use crate::host::parameters::LaunchParameters;
use crate::launch::{LaunchError, Stdin};
use crate::verify::{Decision, ExecMode, Subject, VerifiedPlugin, VerifyError};

/// The decision of a policy.
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

/// The value in words. Its `Display` escapes foreign text; this cuts it.
fn shown(value: &impl ToString) -> String {
    text(value.to_string())
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

/// The intent to launch.
pub(super) fn launch(parameters: &LaunchParameters, recorder: &dyn Recorder, launch: LaunchId) -> Event {
    let arguments = parameters.plugin.arguments().iter().chain(&parameters.arguments);
    Event::Launch(LaunchIntent {
        launch,
        plugin: text(parameters.plugin.path().as_os_str().as_bytes()),
        image: image(&parameters.plugin),
        arguments: arguments.filter_map(|argument| recorder.keyed_hash(argument.as_bytes())).collect(),
        versions: parameters.protocol.versions.iter().copied().collect(),
        timeout_ms: milliseconds(parameters.start_timeout),
    })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Every guarantee that the host gives up, with the method that it called.
pub(super) fn weakened(parameters: &LaunchParameters, launch: LaunchId) -> Vec<Event> {
    let switches = [
        (parameters.stdin == Stdin::Inherit, "inherit_stdin"),
        (parameters.tcp_loopback, "allow_tcp_loopback"),
        (parameters.plugin.mode() == ExecMode::PinnedFd, "dangerous_with_pinned_fd"),
        (parameters.environment.inherits_all(), "inherit_env"),
    ];
    let switches = switches.into_iter().filter(|(used, _)| *used).map(|(_, switch)| (switch, None));
    let variables = parameters.environment.dangerous().map(|name| ("dangerous_set", Some(text(name.as_bytes()))));
    let weakened = |(switch, on): (&str, _)| Event::Weakened(GuaranteeWeakened { launch, switch: switch.into(), on });
    switches.chain(variables).map(weakened).collect()
}

/// The handshake, the identity of the peer and the hardening of the process.
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

/// A launch that failed.
pub(super) fn failed(error: &Error, launch: LaunchId) -> Event {
    let (reason, exit) = match error {
        // The plugin chooses the text of its standard error, so it stays out of the log.
        Error::Start(start) => (Chain::of(&start.fault).to_string(), start.exit.map(|exit| exit.to_string())),
        error => (Chain::of(error).to_string(), None),
    };
    Event::LaunchFailed(LaunchFailed { launch, refused: error.is_refusal(), reason: text(reason), exit })
}

/// A launch whose future was dropped.
pub(super) fn cancelled(launch: LaunchId) -> Event {
    Event::LaunchFailed(LaunchFailed { launch, refused: false, reason: "cancelled".into(), exit: None })
}

/// The limit that a launch reached, if it failed because of one.
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
