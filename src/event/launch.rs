//! Events about one launch of a plugin, from the intent to the end of its process.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::serde_text::{as_text, list_as_text};
use super::{KeyedHash, Payload, VerifiedImage, start_of, texts_bytes};
use crate::Digest;

/// The identifier of one launch, shared by all of its events and by no other launch. Written as 16
/// lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaunchId(u64);

impl LaunchId {
    /// The launch with this number, which should be random.
    pub fn new(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for LaunchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for LaunchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LaunchId({self})")
    }
}

impl FromStr for LaunchId {
    type Err = LaunchIdError;

    fn from_str(text: &str) -> Result<Self, LaunchIdError> {
        let digits = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or(LaunchIdError)
    }
}

/// The text is not the identifier of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the identifier of a launch: 16 lower-case hexadecimal digits")]
#[non_exhaustive]
pub struct LaunchIdError;

/// The intent to launch a plugin, recorded before anything starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LaunchIntent {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The path of the plugin as the host gave it to the policy.
    pub plugin: String,
    /// The bytes that will run.
    pub image: VerifiedImage,
    /// The keyed hashes of its arguments, without `argv[0]`.
    #[serde(with = "list_as_text")]
    pub arguments: Vec<KeyedHash>,
    /// The versions of the application's protocol that the host offers.
    pub versions: Vec<u32>,
    /// The start timeout in milliseconds.
    pub timeout_ms: u64,
}

impl Payload for LaunchIntent {
    fn launch(&self) -> Option<LaunchId> {
        Some(self.launch)
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        format!("{} sha256 {}", self.plugin, self.image.sha256)
    }

    fn heap_bytes(&self) -> usize {
        self.image.heap_bytes() + size_of_val(&*self.arguments)
    }
}

/// The handshake line of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HandshakeReceived {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The plugin's process.
    pub pid: u32,
    /// The negotiated version of the application's protocol.
    pub version: u32,
    /// The line, without the certificate in it.
    pub line: String,
}

impl Payload for HandshakeReceived {
    fn launch(&self) -> Option<LaunchId> {
        Some(self.launch)
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        format!("process {}, {}", self.pid, self.line)
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// The proofs about the connection to a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConnectionEstablished {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// How the host checked that the launched process is its peer.
    pub peer_check: String,
    /// The version of TLS.
    pub tls: String,
    /// The cipher suite.
    pub suite: String,
    /// The SHA-256 of the host's certificate.
    #[serde(with = "as_text")]
    pub host_certificate: Digest,
    /// The SHA-256 of the plugin's certificate, which is pinned.
    #[serde(with = "as_text")]
    pub plugin_certificate: Digest,
    /// The algorithm of the plugin's key.
    pub plugin_key: String,
}

impl Payload for ConnectionEstablished {
    fn launch(&self) -> Option<LaunchId> {
        Some(self.launch)
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        let certificate = start_of(&self.plugin_certificate.to_string());
        format!("{} {}, peer by {}, plugin certificate {certificate}", self.tls, self.suite, self.peer_check)
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// A plugin that can be called, and the restrictions on its process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginReady {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The plugin's process.
    pub pid: u32,
    /// The names of the variables in its environment. Never their values.
    pub environment: Vec<String>,
    /// The hardening of its process, in words.
    #[serde(rename = "measures")]
    pub hardening: Vec<String>,
    /// The duration of the start in microseconds.
    pub took_us: u64,
}

impl Payload for PluginReady {
    fn launch(&self) -> Option<LaunchId> {
        Some(self.launch)
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        format!("process {} after {} µs", self.pid, self.took_us)
    }

    fn heap_bytes(&self) -> usize {
        texts_bytes(&self.environment) + texts_bytes(&self.hardening)
    }
}

/// A launch that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LaunchFailed {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// Whether the host refused the plugin because of its bytes or its behaviour.
    pub refused: bool,
    /// The reason.
    pub reason: String,
    /// The exit of its process, if the process ended before the host killed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
}

impl Payload for LaunchFailed {
    fn launch(&self) -> Option<LaunchId> {
        Some(self.launch)
    }

    fn is_alert(&self) -> bool {
        true
    }

    fn summary(&self) -> String {
        format!("{}: {}", if self.refused { "refused" } else { "failed" }, self.reason)
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// A guarantee that the host gave up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GuaranteeWeakened {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The method that the host called, such as `dangerous_set`.
    pub switch: String,
    /// The subject of the call, such as the name of a variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
}

impl Payload for GuaranteeWeakened {
    fn launch(&self) -> Option<LaunchId> {
        Some(self.launch)
    }

    fn is_alert(&self) -> bool {
        true
    }

    fn summary(&self) -> String {
        self.on.as_ref().map_or_else(|| self.switch.clone(), |on| format!("{} on {on}", self.switch))
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// The end of a plugin's process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProcessExited {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The process.
    pub pid: u32,
    /// Its exit status or signal, in words.
    pub exit: String,
}

impl Payload for ProcessExited {
    fn launch(&self) -> Option<LaunchId> {
        Some(self.launch)
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        format!("process {}: {}", self.pid, self.exit)
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// The shutdown of a plugin by its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginShutDown {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The step of the shutdown that ended the process: `exited`, `asked`, `terminated` or
    /// `killed`.
    pub ending: String,
}

impl Payload for PluginShutDown {
    fn launch(&self) -> Option<LaunchId> {
        Some(self.launch)
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        self.ending.clone()
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}
