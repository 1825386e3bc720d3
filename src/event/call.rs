//! Events about calls of a plugin. What was said in them appears as keyed hashes only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LaunchId;
use super::as_text::{as_text, map_as_text, maybe_as_text};
use crate::event::KeyedHash;

/// Some messages of a call, in one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tally {
    /// How many.
    pub messages: u64,
    /// Their size, without what frames them.
    pub bytes: u64,
    /// The keyed hash of all of them, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_as_text")]
    pub hash: Option<KeyedHash>,
}

/// A call that is about to be made. It may have reached the plugin from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Call {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The call, counted within the launch.
    pub call: u64,
    /// What is called: `/package.Service/Method`.
    pub method: String,
    /// The keyed hashes of the arguments that the application named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "map_as_text")]
    pub arguments: BTreeMap<String, KeyedHash>,
    /// What the host had to say so far: the whole of it, unless it is a stream.
    pub request: Tally,
}

/// Messages that are about to be given to the caller while the call goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Messages {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The call.
    pub call: u64,
    /// The messages.
    pub response: Tally,
}

/// A call that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Returned {
    /// The launch.
    #[serde(with = "as_text")]
    pub launch: LaunchId,
    /// The call.
    pub call: u64,
    /// What was called.
    pub method: String,
    /// The name of the gRPC status code, as `OK` or `NOT_FOUND`; `abandoned` if the caller did not
    /// wait for it, `broken` if there was no answer.
    pub outcome: String,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// All that the host said.
    pub request: Tally,
    /// All that the plugin said.
    pub response: Tally,
}

/// A limit that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Limit {
    /// The launch, if it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_as_text")]
    pub launch: Option<LaunchId>,
    /// The call, if it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u64>,
    /// What is limited, as `message bytes`.
    pub limit: String,
    /// How much is allowed.
    pub allowed: u64,
    /// How much it would have been, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
}
