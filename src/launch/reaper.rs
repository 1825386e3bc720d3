//! The thread that reaps killed processes, which nobody should wait for.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::child::Unreaped;
use crate::worker::Worker;

/// How often killed processes that have not ended yet are looked at. They end within a moment, or
/// never.
const REAP_INTERVAL: Duration = Duration::from_millis(10);

static REAPER: Worker<Unreaped> = Worker::new("portcullis-reaper", serve);

/// Reaps a killed process when it has ended.
pub(super) fn reap(unreaped: Unreaped) {
    if let Err(error) = REAPER.send(unreaped) {
        tracing::error!(%error, "a killed plugin cannot be reaped");
    }
}

fn serve(killed: &Receiver<Unreaped>) {
    let mut unreaped: Vec<Unreaped> = Vec::new();
    loop {
        let next = match unreaped.is_empty() {
            true => killed.recv().map_err(RecvTimeoutError::from),
            false => killed.recv_timeout(REAP_INTERVAL),
        };
        match next {
            Ok(child) => unreaped.push(child),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        unreaped.retain(|child| !child.try_reap());
    }
}
