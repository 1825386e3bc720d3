//! Events about one launch of a plugin, from the intent to the end of its process.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Image;
use super::as_text::{as_text, list_as_text};
use crate::Digest;
use crate::event::KeyedHash;

/// One launch of a plugin: the same in every event that belongs to it, and in no other. 16
/// hexadecimal digits.
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

/// A text names no launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a launch is named by 16 lower-case hexadecimal digits")]
#[non_exhaustive]
pub struct LaunchIdError;

/// A launch, before anything was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Launch {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The plugin as it was named to the policy.
    pub plugin: String,
    /// The bytes that will run.
    pub image: Image,
    /// The keyed hashes of its arguments, without the name that it is called by.
    #[serde(with = "list_as_text")]
    pub arguments: Vec<KeyedHash>,
    /// The versions of the application's protocol that are offered.
    pub versions: Vec<u32>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
}

/// What a plugin said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Handshake {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The plugin's process.
    pub pid: u32,
    /// The version of the application's protocol that was agreed on.
    pub version: u32,
    /// The line in the plugin's words, without its certificate.
    pub line: String,
}

/// Who is at the other end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Connection {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// How it was established that the launched process answers.
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
    /// The kind of the plugin's key.
    pub plugin_key: String,
}

/// A plugin that can be called, and what is enforced on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ready {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The plugin's process.
    pub pid: u32,
    /// The names of the variables in its environment. Never their values.
    pub environment: Vec<String>,
    /// What is enforced on its process, in words.
    pub measures: Vec<String>,
    /// How long the start took, in microseconds.
    pub took_us: u64,
}

/// A launch that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LaunchFailed {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// Whether the plugin was refused, for what it is or does.
    pub refused: bool,
    /// What went wrong.
    pub reason: String,
    /// How its process ended, if it did by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<String>,
}

/// What the host gave up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Weakened {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The name of the method that it asked for it with, as `dangerous_set`.
    pub switch: String,
    /// What it was used on, as the name of a variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
}

/// The end of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Exit {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The process.
    pub pid: u32,
    /// How it ended.
    pub exit: String,
}

/// What it took to end a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Shutdown {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// `exited`, `asked`, `terminated` or `killed`.
    pub ending: String,
}
