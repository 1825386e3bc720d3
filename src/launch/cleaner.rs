//! The thread that reaps killed processes, which nobody should wait for.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::child::Remains;
use crate::worker::Worker;

/// How often killed processes that have not ended yet are looked at. They end within a moment, or
/// never.
const REAP_INTERVAL: Duration = Duration::from_millis(10);

static CLEANER: Worker<Remains> = Worker::new("portcullis-cleaner", serve);

/// Reaps a killed process when it has ended.
pub(super) fn reap(remains: Remains) {
    if let Err(error) = CLEANER.send(remains) {
        tracing::error!(%error, "a killed plugin cannot be reaped");
    }
}

fn serve(killed: &Receiver<Remains>) {
    let mut remains: Vec<Remains> = Vec::new();
    loop {
        let next = match remains.is_empty() {
            true => killed.recv().map_err(RecvTimeoutError::from),
            false => killed.recv_timeout(REAP_INTERVAL),
        };
        match next {
            Ok(child) => remains.push(child),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        remains.retain(|child| !child.try_reap());
    }
}
