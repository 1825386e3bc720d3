//! Where copies of records go besides the log. A copy is made when the log has the record, and nobody waits for it.

mod queue;

use std::error::Error;

pub(super) use queue::Sinks;

use super::Record;

/// Somewhere that is given a copy of each record: it runs on a thread of its own.
pub trait Sink: Send {
    /// What it is called in the log when something did not arrive there.
    fn name(&self) -> &str;

    /// Takes one record. What this takes long for is kept, as far as there is room, and then dropped and counted.
    ///
    /// # Errors
    ///
    /// When the record did not arrive. It is not tried again, and the log says how many did not.
    fn deliver(&mut self, record: &Record) -> Result<(), Box<dyn Error + Send + Sync>>;
}
