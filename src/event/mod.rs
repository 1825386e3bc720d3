//! What is recorded: values of plain data, made by whoever saw it happen, read back by whoever
//! asks. Records nothing itself.
//!
//! The member `type` of an event's JSON says which it is. Under one version of the format
//! ([`FORMAT`]) a member keeps its meaning, members are added and events are added: a reader takes
//! what it does not know for an event of another day, and goes on.

mod as_text;
mod call;
mod keyed_hash;
mod launch;
mod log;
mod recorder;
mod recording;
mod verification;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use call::{Call, Limit, Messages, Returned, Tally};
pub use keyed_hash::{KeyedHash, KeyedHashError};
pub use launch::{
    Connection, Exit, Handshake, Launch, LaunchFailed, LaunchId, LaunchIdError, Ready, Shutdown, Weakened,
};
pub use log::{Closed, Continued, Lost, Opened, Signed, Torn, Undelivered};
pub use recorder::{NoRecorder, RecordError, Recorder, ValueHasher};
pub use recording::{Acknowledgement, Recording, Reservation};
pub use verification::{Image, Verdict, Verification};

use crate::Escaped;

/// The format of the log: of its lines, its files and its events.
pub const FORMAT: &str = "portcullis-audit/1";

/// The longest text in an event, in bytes; what is longer is cut and ends in `…`.
const TEXT_LIMIT: usize = 1024;

/// Foreign or long text as it stands in an event: escaped and cut.
pub(crate) fn text(bytes: impl AsRef<[u8]>) -> String {
    // Escaping makes text longer, never shorter, so no more than this can be shown.
    let bytes = bytes.as_ref();
    let shown = Escaped::new(bytes.get(..TEXT_LIMIT + 4).unwrap_or(bytes)).to_string();
    if bytes.len() <= TEXT_LIMIT && shown.len() <= TEXT_LIMIT {
        return shown;
    }
    let ends = shown.char_indices().map(|(start, character)| start + character.len_utf8());
    let end = ends.take_while(|end| *end <= TEXT_LIMIT).last().unwrap_or_default();
    format!("{}…", &shown[..end])
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A writer began to write the log.
    Opened(Opened),
    /// A file of the log goes on where another ended.
    Continued(Continued),
    /// The writer vouches for everything before.
    Checkpoint(Signed),
    /// Records are missing, because they could not be written and nobody waited for them.
    Lost(Lost),
    /// A copy of something did not arrive where it should.
    Undelivered(Undelivered),
    /// The writer ended in order. What follows is another writer's.
    Closed(Closed),
    /// A plugin was held against a policy.
    Verification(Verification),
    /// A plugin is about to be started.
    Launch(Launch),
    /// A plugin wrote its handshake line.
    Handshake(Handshake),
    /// A plugin was connected to, and both ends have proven who they are.
    Connection(Connection),
    /// A plugin has answered.
    Ready(Ready),
    /// A plugin did not become ready. If there was a process it was killed.
    LaunchFailed(LaunchFailed),
    /// A guarantee was weakened, because the host asked for it.
    Weakened(Weakened),
    /// A plugin is about to be called.
    Call(Call),
    /// A plugin sent messages in an answer that goes on.
    Messages(Messages),
    /// A call is over.
    Returned(Returned),
    /// Somebody came to a limit.
    Limit(Limit),
    /// A plugin's process has ended.
    Exit(Exit),
    /// A plugin was shut down.
    Shutdown(Shutdown),
    /// Something of the host's own.
    Application(Application),
}

impl Event {
    /// Something of the host's own, with facts about it. Names and facts are escaped, and cut after
    /// 1024 bytes; there may be 32 of them.
    pub fn application<N: Into<String>, V: AsRef<str>>(
        name: impl AsRef<str>,
        facts: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let facts = facts.into_iter().take(32).map(|(name, value)| (text(name.into()), text(value.as_ref())));
        Self::Application(Application { name: text(name.as_ref()), facts: facts.collect() })
    }

    /// The launch that it belongs to.
    pub fn launch(&self) -> Option<LaunchId> {
        match self {
            Self::Launch(Launch { launch, .. })
            | Self::Handshake(Handshake { launch, .. })
            | Self::Connection(Connection { launch, .. })
            | Self::Ready(Ready { launch, .. })
            | Self::LaunchFailed(LaunchFailed { launch, .. })
            | Self::Weakened(Weakened { launch, .. })
            | Self::Call(Call { launch, .. })
            | Self::Messages(Messages { launch, .. })
            | Self::Returned(Returned { launch, .. })
            | Self::Exit(Exit { launch, .. })
            | Self::Shutdown(Shutdown { launch, .. }) => Some(*launch),
            Self::Limit(Limit { launch, .. }) => *launch,
            _ => None,
        }
    }

    /// About how much memory it takes, in bytes: those are weighed that can be large.
    pub(crate) fn weight(&self) -> usize {
        let texts = |texts: &[String]| texts.iter().map(|text| text.len() + size_of::<String>()).sum::<usize>();
        let image = |image: &Image| texts(&image.vouchers);
        let own = match self {
            Self::Verification(verification) => {
                texts(&verification.findings) + verification.image.as_ref().map_or(0, image)
            }
            Self::Launch(launch) => image(&launch.image) + size_of_val(&*launch.arguments),
            Self::Ready(ready) => texts(&ready.environment) + texts(&ready.measures),
            Self::Call(call) => call.arguments.keys().map(|name| name.len() + 2 * size_of::<String>() + 32).sum(),
            Self::Checkpoint(signed) => signed.note.len(),
            Self::Application(application) => {
                let facts = application.facts.iter().map(|(name, value)| name.len() + value.len());
                application.name.len() + facts.map(|text| text + 2 * size_of::<String>()).sum::<usize>()
            }
            // A text or two.
            _ => 0,
        };
        size_of::<Self>() + own
    }

    /// The word in the member `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Continued(_) => "continued",
            Self::Checkpoint(_) => "checkpoint",
            Self::Lost(_) => "lost",
            Self::Undelivered(_) => "undelivered",
            Self::Closed(_) => "closed",
            Self::Verification(_) => "verification",
            Self::Launch(_) => "launch",
            Self::Handshake(_) => "handshake",
            Self::Connection(_) => "connection",
            Self::Ready(_) => "ready",
            Self::LaunchFailed(_) => "launch_failed",
            Self::Weakened(_) => "weakened",
            Self::Call(_) => "call",
            Self::Messages(_) => "messages",
            Self::Returned(_) => "returned",
            Self::Limit(_) => "limit",
            Self::Exit(_) => "exit",
            Self::Shutdown(_) => "shutdown",
            Self::Application(_) => "application",
        }
    }
}

/// Something of the host's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Application {
    /// What it is.
    pub name: String,
    /// Facts about it.
    pub facts: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests;
