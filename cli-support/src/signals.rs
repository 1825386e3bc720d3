//! The signals by which a person or a supervisor ends a program. Ends nothing itself.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, caught. Catching them takes away their default action: from then on the
/// program must end itself.
#[derive(Debug)]
pub struct Signals([Signal; 2]);

impl Signals {
    /// Catches both signals, until the process ends.
    ///
    /// # Errors
    ///
    /// The handler cannot be installed.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its I/O driver enabled.
    pub fn catch() -> io::Result<Self> {
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]))
    }

    /// Waits for either signal.
    pub async fn received(&mut self) {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
