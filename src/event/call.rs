//! Events about calls of a plugin. They hold keyed hashes of messages and arguments, never the
//! values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::serde_text::{as_text, map_as_text, maybe_as_text};
use super::{KeyedHash, LaunchId, Payload, start_of};

/// The messages of a call in one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MessageTally {
    /// The number of messages.
    pub messages: u64,
    /// Their size in bytes, without gRPC's framing.
    pub bytes: u64,
    /// The keyed hash of their concatenation.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_as_text")]
    pub hash: Option<KeyedHash>,
}

impl MessageTally {
    fn summary(&self) -> String {
        format!("{} message{}, {} bytes", self.messages, if self.messages == 1 { "" } else { "s" }, self.bytes)
    }
}

/// The intent to call a plugin. From here on the call may have reached it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallIntent {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The number of the call within the launch, from 1.
    pub call: u64,
    /// The method: `/package.Service/Method`.
    pub method: String,
    /// The keyed hashes of the arguments that the application named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "map_as_text")]
    pub arguments: BTreeMap<String, KeyedHash>,
    /// The request so far: all of it, unless the request is a stream.
    pub request: MessageTally,
}

impl Payload for CallIntent {
    fn launch(&self) -> Option<LaunchId> {
        Some(self.launch)
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        let start = |hash: &KeyedHash| start_of(hash.to_string().trim_start_matches(KeyedHash::PREFIX));
        let arguments: Vec<_> = self.arguments.iter().map(|(name, hash)| format!("{name}={}", start(hash))).collect();
        format!("{} #{} {} {}", self.method, self.call, self.request.summary(), arguments.join(" "))
    }

    fn heap_bytes(&self) -> usize {
        // A node of the map takes about 32 bytes per entry besides the name.
        self.arguments.keys().map(|name| name.len() + 2 * size_of::<String>() + 32).sum()
    }
}

/// Messages of the plugin in a call that continues, recorded before the caller gets them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MessagesReceived {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The number of the call.
    pub call: u64,
    /// The messages since the last record of the call.
    pub response: MessageTally,
}

impl Payload for MessagesReceived {
    fn launch(&self) -> Option<LaunchId> {
        Some(self.launch)
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        format!("#{} {}", self.call, self.response.summary())
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// The end of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CallEnded {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The number of the call.
    pub call: u64,
    /// The method.
    pub method: String,
    /// The name of the gRPC status code, such as `OK` or `NOT_FOUND`; `abandoned` if the caller
    /// gave the call up, `broken` if the call ended without a status.
    pub outcome: String,
    /// The duration in microseconds.
    pub took_us: u64,
    /// The whole request.
    pub request: MessageTally,
    /// The whole response.
    pub response: MessageTally,
}

impl Payload for CallEnded {
    fn launch(&self) -> Option<LaunchId> {
        Some(self.launch)
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        let response = self.response.summary();
        format!("{} #{} {} after {} µs, {response}", self.method, self.call, self.outcome, self.took_us)
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// A limit that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimitReached {
    /// The launch, if the limit belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_as_text")]
    pub launch: Option<LaunchId>,
    /// The number of the call, if the limit belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u64>,
    /// The name of the limit with its unit, such as `message bytes`.
    pub limit: String,
    /// The largest permitted value.
    pub allowed: u64,
    /// The value that was found, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
}

impl Payload for LimitReached {
    fn launch(&self) -> Option<LaunchId> {
        self.launch
    }

    fn is_alert(&self) -> bool {
        true
    }

    fn summary(&self) -> String {
        let found = self.found.map_or_else(String::new, |found| format!(", found {found}"));
        format!("{}: {} allowed{found}", self.limit, self.allowed)
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}
