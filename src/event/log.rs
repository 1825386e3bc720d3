//! Events about the audit log: its writers, its files, its checkpoints and missing records.

use serde::{Deserialize, Serialize};

use super::serde_text::{as_text, list_as_text};
use super::{LaunchId, Payload};
use crate::Digest;

/// The start of a writer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogOpened {
    /// [`FORMAT`](super::FORMAT).
    pub format: String,
    /// The name of the log, which is also the origin of its checkpoints.
    pub origin: String,
    /// The verifier key of its checkpoints, in the notation of C2SP signed notes.
    pub key: String,
    /// The writing program: `portcullis` and its version.
    pub writer: String,
    /// The process of the writer.
    pub pid: u32,
    /// `required` or `best effort`.
    pub mode: String,
    /// Incomplete records of earlier writers, which were moved to files of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub torn: Vec<TornTail>,
}

impl Payload for LogOpened {
    fn launch(&self) -> Option<LaunchId> {
        None
    }

    fn is_alert(&self) -> bool {
        !self.torn.is_empty()
    }

    fn summary(&self) -> String {
        let torn = self.torn.iter().map(|torn| format!(", {} bytes put aside in {}", torn.bytes, torn.file));
        format!("{} by process {}, {}{}", self.origin, self.pid, self.mode, torn.collect::<String>())
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// The incomplete end of a log whose writer was killed. It is kept in a separate file. No caller
/// had been informed that these bytes were recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TornTail {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    #[serde(with = "as_text")]
    pub sha256: Digest,
    /// The name of its file, beside the log.
    pub file: String,
}

/// The start of a file that continues another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogContinued {
    /// [`FORMAT`](super::FORMAT).
    pub format: String,
    /// As in [`LogOpened`].
    pub origin: String,
    /// As in [`LogOpened`].
    pub key: String,
    /// The compact range over all records before: the roots of the complete subtrees, from the
    /// left, one for each bit that is set in the number of those records.
    #[serde(with = "list_as_text")]
    pub tree: Vec<Digest>,
}

impl Payload for LogContinued {
    fn launch(&self) -> Option<LaunchId> {
        None
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        self.origin.clone()
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// A signed checkpoint over the tree of all records before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckpointSigned {
    /// The signed note.
    pub note: String,
}

impl Payload for CheckpointSigned {
    fn launch(&self) -> Option<LaunchId> {
        None
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        // The second line of a checkpoint is the size of its tree (C2SP tlog-checkpoint).
        let size = self.note.lines().nth(1).unwrap_or_default();
        format!("over {size} records")
    }

    fn heap_bytes(&self) -> usize {
        self.note.len()
    }
}

/// Records that are missing at this point of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordsLost {
    /// The number of missing records.
    pub records: u64,
}

impl Payload for RecordsLost {
    fn launch(&self) -> Option<LaunchId> {
        None
    }

    fn is_alert(&self) -> bool {
        true
    }

    fn summary(&self) -> String {
        format!("{} records", self.records)
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// Copies that did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeliveryFailed {
    /// The sink, or `checkpoint file`.
    pub to: String,
    /// The number of records or checkpoints that did not arrive since the last one that did.
    pub count: u64,
    /// The last reason.
    pub reason: String,
}

impl Payload for DeliveryFailed {
    fn launch(&self) -> Option<LaunchId> {
        None
    }

    fn is_alert(&self) -> bool {
        true
    }

    fn summary(&self) -> String {
        format!("{} to {}: {}", self.count, self.to, self.reason)
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// The orderly end of a writer. A checkpoint over all records follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogClosed {
    /// The process of the writer.
    pub pid: u32,
}

impl Payload for LogClosed {
    fn launch(&self) -> Option<LaunchId> {
        None
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        format!("by process {}", self.pid)
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}
