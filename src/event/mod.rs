//! Events as values, and the [`Recorder`] that a host hands them to. Stores nothing.
//!
//! Each event is declared once, in the list of [`Event`]. Its payload implements the private trait
//! `Payload` beside its type: launch, alert, summary and size. An event that lacks one of these
//! does not compile.
//!
//! In JSON, the member `type` holds the kind of an event. Within one version of the format
//! ([`FORMAT`]) a member keeps its meaning, and members and events may be added: readers skip the
//! events and the members that they do not know.

mod call;
mod keyed_hash;
mod launch;
mod log;
mod recorder;
mod recording;
mod serde_text;
mod verification;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tracing::Level;

pub use call::{CallEnded, CallIntent, LimitReached, MessageTally, MessagesReceived};
pub use keyed_hash::{KeyedHash, KeyedHashError};
pub use launch::{
    ConnectionEstablished, GuaranteeWeakened, HandshakeReceived, LaunchFailed, LaunchId, LaunchIdError, LaunchIntent,
    PluginReady, PluginShutDown, ProcessExited,
};
pub use log::{CheckpointSigned, DeliveryFailed, LogClosed, LogContinued, LogOpened, RecordsLost, TornTail};
pub use recorder::{NoRecorder, RecordError, Recorder, ValueHasher};
pub use recording::{Acknowledgement, Recording, Reservation};
pub use verification::{PluginVerification, VerificationVerdict, VerifiedImage};

use crate::Escaped;
use crate::limits::event::{APPLICATION_FACTS, TEXT_BYTES};

/// The format of an audit log: of its lines, its files and its events.
pub const FORMAT: &str = "portcullis-audit/1";

/// Declares the events: for each its documentation, its variant, its payload and its kind.
macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($payload:ident) = $kind:literal,)*) => {
        /// Something that happened.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "type")]
        #[non_exhaustive]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $kind)] $variant($payload),)*
        }

        impl Event {
            /// The machine name of the event: its member `type`.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $kind,)*
                }
            }

            fn payload(&self) -> &dyn Payload {
                match self {
                    $(Self::$variant(payload) => payload,)*
                }
            }
        }
    };
}

events! {
    /// A writer opened the log.
    Opened(LogOpened) = "opened",
    /// A file of the log continues where another ended.
    Continued(LogContinued) = "continued",
    /// The writer signed a checkpoint over all records before this one.
    Checkpoint(CheckpointSigned) = "checkpoint",
    /// Records are missing: they could not be written, and no caller waited for them.
    Lost(RecordsLost) = "lost",
    /// Copies of records, or a checkpoint, did not arrive where they should.
    Undelivered(DeliveryFailed) = "undelivered",
    /// The writer closed the log. Another writer wrote any records after this one.
    Closed(LogClosed) = "closed",
    /// A policy decided about a plugin.
    Verification(PluginVerification) = "verification",
    /// A plugin is about to be started.
    Launch(LaunchIntent) = "launch",
    /// A plugin wrote its handshake line.
    Handshake(HandshakeReceived) = "handshake",
    /// The host is connected to a plugin, and both ends have proven their identity.
    Connection(ConnectionEstablished) = "connection",
    /// A plugin answered its health check and can be called.
    Ready(PluginReady) = "ready",
    /// A plugin did not become ready. If there was a process, the host killed it.
    LaunchFailed(LaunchFailed) = "launch_failed",
    /// The host weakened a guarantee.
    Weakened(GuaranteeWeakened) = "weakened",
    /// A plugin is about to be called.
    Call(CallIntent) = "call",
    /// A plugin sent messages in a call that continues.
    Messages(MessagesReceived) = "messages",
    /// A call ended.
    Returned(CallEnded) = "returned",
    /// A limit was reached.
    Limit(LimitReached) = "limit",
    /// A plugin's process ended.
    Exit(ProcessExited) = "exit",
    /// The host shut a plugin down.
    Shutdown(PluginShutDown) = "shutdown",
    /// An event of the application.
    Application(ApplicationEvent) = "application",
}

/// The facts of an event besides its kind. Implemented beside each payload, without defaults, so
/// that no event is forgotten.
trait Payload {
    /// The launch that the event belongs to.
    fn launch(&self) -> Option<LaunchId>;

    /// Whether a person should look at the event: something was refused, failed, weakened, limited
    /// or is missing.
    fn is_alert(&self) -> bool;

    /// The event in one line.
    fn summary(&self) -> String;

    /// Bytes of memory behind the value, roughly. Only values that can be large count.
    fn heap_bytes(&self) -> usize;
}

impl Event {
    /// An event of the application, with facts about it. Names and values are escaped and cut to
    /// 1024 bytes; facts after the 32nd are dropped.
    pub fn application<N: Into<String>, V: AsRef<str>>(
        name: impl AsRef<str>,
        facts: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let facts = facts.into_iter().take(APPLICATION_FACTS);
        let facts = facts.map(|(name, value)| (text(name.into()), text(value.as_ref()))).collect();
        Self::Application(ApplicationEvent { name: text(name.as_ref()), facts })
    }

    /// The launch that the event belongs to, if it belongs to one.
    pub fn launch(&self) -> Option<LaunchId> {
        self.payload().launch()
    }

    /// Whether a person should look at the event: something was refused, failed, weakened, limited
    /// or is missing.
    pub fn is_alert(&self) -> bool {
        self.payload().is_alert()
    }

    /// The level at which sinks log the event: `WARN` for alerts, else `INFO`.
    pub fn level(&self) -> Level {
        if self.is_alert() { Level::WARN } else { Level::INFO }
    }

    /// The event in one line, for people, without its kind and its launch. An event that was read
    /// from a log may hold text that its writer did not escape: escape the summary before you print
    /// it.
    pub fn summary(&self) -> String {
        self.payload().summary()
    }

    /// Bytes of memory that the event takes, roughly.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.payload().heap_bytes()
    }
}

/// An event of the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApplicationEvent {
    /// The application's name for the event.
    pub name: String,
    /// Facts about the event.
    pub facts: BTreeMap<String, String>,
}

impl Payload for ApplicationEvent {
    fn launch(&self) -> Option<LaunchId> {
        None
    }

    fn is_alert(&self) -> bool {
        false
    }

    fn summary(&self) -> String {
        let facts: Vec<_> = self.facts.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{} {}", self.name, facts.join(" "))
    }

    fn heap_bytes(&self) -> usize {
        let facts = self.facts.iter().map(|(name, value)| name.len() + value.len() + 2 * size_of::<String>());
        self.name.len() + facts.sum::<usize>()
    }
}

/// Foreign or long text as events hold it: escaped, and cut with `…` after [`TEXT_BYTES`] bytes.
pub(crate) fn text(bytes: impl AsRef<[u8]>) -> String {
    // Escaping never shortens text, so bytes beyond these cannot be part of the result. Four more,
    // because a character has up to four bytes.
    let bytes = bytes.as_ref();
    let shown = Escaped::new(bytes.get(..TEXT_BYTES + 4).unwrap_or(bytes)).to_string();
    if bytes.len() <= TEXT_BYTES && shown.len() <= TEXT_BYTES {
        return shown;
    }
    let ends = shown.char_indices().map(|(start, character)| start + character.len_utf8());
    let end = ends.take_while(|end| *end <= TEXT_BYTES).last().unwrap_or_default();
    format!("{}…", &shown[..end])
}

/// Bytes of memory that a list of texts takes.
fn texts_bytes(texts: &[String]) -> usize {
    texts.iter().map(|text| text.len() + size_of::<String>()).sum()
}

/// The beginning of a hash or an identifier, enough for a person to tell two apart.
fn start_of(text: &str) -> String {
    text.chars().take(8).collect()
}

#[cfg(test)]
mod tests;
