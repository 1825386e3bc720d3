//! The event of a policy's decision about a plugin.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::serde_text::{as_text, maybe_as_text};
use super::{LaunchId, Payload, texts_bytes};
use crate::Digest;

/// The decision of a policy, as events name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VerificationVerdict {
    /// The plugin may run.
    Allowed,
    /// The plugin may not run.
    Refused,
    /// The checks could not be completed, so the plugin may not run.
    Unchecked,
}

impl fmt::Display for VerificationVerdict {
    /// Writes the word that events use.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Unchecked => "unchecked",
        })
    }
}

/// The verification of a plugin by a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginVerification {
    /// The path of the plugin as the host gave it.
    pub plugin: String,
    /// The decision.
    pub verdict: VerificationVerdict,
    /// The reason, if the plugin may not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The bytes that may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<VerifiedImage>,
    /// The findings of the checks, in words.
    pub findings: Vec<String>,
}

impl Payload for PluginVerification {
    fn launch(&self) -> Option<LaunchId> {
        None
    }

    fn is_alert(&self) -> bool {
        self.verdict != VerificationVerdict::Allowed
    }

    fn summary(&self) -> String {
        let digest = self.image.as_ref().map_or_else(String::new, |image| format!(" sha256 {}", image.sha256));
        let reason = self.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        format!("{} {}{digest}{reason}", self.verdict, self.plugin)
    }

    fn heap_bytes(&self) -> usize {
        texts_bytes(&self.findings) + self.image.as_ref().map_or(0, VerifiedImage::heap_bytes)
    }
}

/// The verified bytes of a plugin, and the attestations for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VerifiedImage {
    /// Their SHA-256. For a plugin that an interpreter runs, the SHA-256 of the interpreter.
    #[serde(with = "as_text")]
    pub sha256: Digest,
    /// The SHA-256 of the manifest that lists every file, if the plugin is a directory.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_as_text")]
    pub manifest: Option<Digest>,
    /// Their size in bytes.
    pub size: u64,
    /// The execution mode: how the bytes stay unchanged from the check to the execution.
    pub mode: String,
    /// Whether the bytes came from the cache.
    pub cached: bool,
    /// The sources that accepted the bytes.
    #[serde(rename = "vouchers")]
    pub attestations: Vec<String>,
}

impl VerifiedImage {
    pub(super) fn heap_bytes(&self) -> usize {
        texts_bytes(&self.attestations)
    }
}
