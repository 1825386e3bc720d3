//! The [`Recorder`] of events, its errors, and the recorder that drops everything. Stores
//! no event.

use std::error::Error;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::{Event, KeyedHash, Recording};

/// Takes the events of a host. [`audit::Log`](crate::audit) is one; an application can write its
/// own, for a database or for a test.
///
/// A host calls [`record`](Self::record) and [`reserve`](Self::reserve) before it acts, and acts
/// only when the [`Recording`] has succeeded: so "no record, no action" holds for every recorder
/// that reports success no earlier than the event is durable. Methods must not block; slow work
/// belongs behind the [`Recording`].
///
/// ```
/// use std::sync::Mutex;
///
/// use portcullis::event::{Event, Recorder, Recording};
///
/// /// Keeps events in memory.
/// #[derive(Debug, Default)]
/// struct Events(Mutex<Vec<Event>>);
///
/// impl Recorder for Events {
///     fn record(&self, event: Event) -> Recording {
///         self.0.lock().unwrap().push(event);
///         Recording::done(Ok(()))
///     }
/// }
/// ```
pub trait Recorder: fmt::Debug + Send + Sync {
    /// Records `event`. The result succeeds when the event is durable, and fails when it is not
    /// recorded and never will be. Dropping the result takes nothing back.
    fn record(&self, event: Event) -> Recording;

    /// Records something that has happened already, without a result: if the event cannot be
    /// written now, the recorder keeps it and tries again as long as it can.
    fn note(&self, event: Event) {
        drop(self.record(event));
    }

    /// Records that something is about to happen, and reserves capacity for the record of its
    /// outcome. If the result is a success, exactly one of [`redeem`](Self::redeem),
    /// [`redeem_later`](Self::redeem_later) and [`release`](Self::release) follows.
    fn reserve(&self, intent: Event) -> Recording {
        self.record(intent)
    }

    /// Records the outcome that capacity was reserved for. A failure means "not yet": the recorder
    /// keeps the event and writes it when it can.
    fn redeem(&self, outcome: Event) -> Recording {
        self.record(outcome)
    }

    /// Redeems for a caller that does not wait.
    fn redeem_later(&self, outcome: Event) {
        drop(self.redeem(outcome));
    }

    /// Gives reserved capacity back: there will be no record of the outcome.
    fn release(&self) {}

    /// Starts the keyed hash of a value. With `None`, the default, events have no hashes of values;
    /// they never have the values themselves.
    fn value_hasher(&self) -> Option<Box<dyn ValueHasher>> {
        None
    }

    /// Returns the keyed hash of a whole value.
    fn keyed_hash(&self, value: &[u8]) -> Option<KeyedHash> {
        let mut hasher = self.value_hasher()?;
        hasher.update(value);
        Some(hasher.hash())
    }

    /// Whether the host waits for a record before it acts. If not, it also hands out the messages
    /// of a plugin before they are recorded.
    fn is_required(&self) -> bool {
        true
    }

    /// Whether events go anywhere. If not, the host makes none.
    fn is_active(&self) -> bool {
        true
    }

    /// Fails if the records are stored in or below `directory`, which belongs to plugins.
    ///
    /// # Errors
    ///
    /// When they are, or the recorder cannot find out.
    fn refuse_inside(&self, directory: &Path) -> Result<(), RecordError> {
        let _ = directory;
        Ok(())
    }

    /// Fails if the records are stored directly in `directory`, which contains a plugin. Below it
    /// they may be.
    ///
    /// # Errors
    ///
    /// When they are, or the recorder cannot find out.
    fn refuse_beside(&self, directory: &Path) -> Result<(), RecordError> {
        let _ = directory;
        Ok(())
    }
}

/// Computes the keyed hash of a value that arrives in pieces.
pub trait ValueHasher: Send {
    /// Adds a piece.
    fn update(&mut self, piece: &[u8]);

    /// Returns the hash of all pieces so far. More may follow.
    fn hash(&self) -> KeyedHash;
}

/// Records nothing: the default of a launch.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct NoRecorder;

impl Recorder for NoRecorder {
    fn record(&self, _event: Event) -> Recording {
        Recording::done(Ok(()))
    }

    fn is_required(&self) -> bool {
        false
    }

    fn is_active(&self) -> bool {
        false
    }
}

/// An event could not be recorded. Reads as the recorder's own error, which
/// [`get_ref`](Self::get_ref) returns.
#[derive(Debug, Clone)]
pub struct RecordError(Arc<dyn Error + Send + Sync>);

impl RecordError {
    /// Wraps the recorder's own error.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(error.into()))
    }

    /// The recorder's own error, to be downcast: for an audit log, a `LogError`.
    pub fn get_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for RecordError {
    /// The source of the recorder's own error, whose text is this one's.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
