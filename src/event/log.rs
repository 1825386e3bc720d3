//! Events about the log itself: its writers, its files, what vouches for it and what is missing
//! from it.

use serde::{Deserialize, Serialize};

use super::as_text::{as_text, list_as_text};
use crate::Digest;

/// How a writer began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Opened {
    /// [`FORMAT`](super::FORMAT).
    pub format: String,
    /// The name of the log, which its checkpoints bear.
    pub origin: String,
    /// The key that its checkpoints are signed with, as C2SP's signed notes write verifier keys.
    pub key: String,
    /// The program that writes: `portcullis` and its version.
    pub writer: String,
    /// The writer's process.
    pub pid: u32,
    /// `required` or `best effort`.
    pub mode: String,
    /// What writers before did not finish, and was put aside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub torn: Vec<Torn>,
}

/// The end of a log that a killed writer left unfinished. It was put aside, and nobody had been
/// told that it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Torn {
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    #[serde(with = "as_text")]
    pub sha256: Digest,
    /// The name of the file that it was put in, beside the log.
    pub file: String,
}

/// How a file goes on where another ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Continued {
    /// [`FORMAT`](super::FORMAT).
    pub format: String,
    /// As in [`Opened`].
    pub origin: String,
    /// As in [`Opened`].
    pub key: String,
    /// The roots of the complete subtrees over all records before, from the left: as many as the
    /// number of those records has bits that are set.
    #[serde(with = "list_as_text")]
    pub tree: Vec<Digest>,
}

/// A signed checkpoint over the tree of all records before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Signed {
    /// The signed note.
    pub note: String,
}

/// How many records are missing here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lost {
    /// How many.
    pub records: u64,
}

/// What did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Undelivered {
    /// The sink, or `checkpoint file`.
    pub to: String,
    /// How many records or checkpoints did not arrive since the last one that did.
    pub count: u64,
    /// The last reason.
    pub reason: String,
}

/// The end of a writer. A checkpoint over everything follows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Closed {
    /// The writer's process.
    pub pid: u32,
}
