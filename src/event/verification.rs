//! Events about a plugin that was held against a policy.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::as_text::{as_text, maybe_as_text};
use crate::Digest;

/// What a policy said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// It may run.
    Allowed,
    /// It may not.
    Refused,
    /// It could not be found out, and so it may not.
    Unchecked,
}

impl fmt::Display for Verdict {
    /// The word for it in an event.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Unchecked => "unchecked",
        })
    }
}

/// A plugin and a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verification {
    /// The plugin as it was named.
    pub plugin: String,
    /// What the policy said.
    pub verdict: Verdict,
    /// Why not, if it may not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The bytes that may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// What was found on the way, in words.
    pub findings: Vec<String>,
}

/// Bytes that may run, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Image {
    /// Their SHA-256: for a plugin that an interpreter runs, the interpreter's.
    #[serde(with = "as_text")]
    pub sha256: Digest,
    /// The SHA-256 of the manifest that names every file, if the plugin is a directory.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_as_text")]
    pub manifest: Option<Digest>,
    /// How many bytes they are.
    pub size: u64,
    /// How they are kept unchanged until they run.
    pub mode: String,
    /// Whether they came from the cache.
    pub cached: bool,
    /// Who says that they may run.
    pub vouchers: Vec<String>,
}
