//! The thread that does what nobody should wait for: it reaps killed processes and removes what plugins left on disk.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::child::Remains;
use super::directory::Leftover;
use super::worker::Worker;

/// How often killed processes that have not ended yet are looked at. They end within a moment, or never.
const REAP_INTERVAL: Duration = Duration::from_millis(10);

enum Task {
    Reap(Remains),
    Remove(Leftover),
}

static CLEANER: Worker<Task> = Worker::new("portcullis-cleaner", serve);

/// Reaps a killed process when it has ended.
pub(super) fn reap(remains: Remains) {
    if let Err(error) = CLEANER.send(Task::Reap(remains)) {
        tracing::error!(%error, "a killed plugin cannot be reaped");
    }
}

/// Removes a directory with everything in it.
pub(super) fn remove(leftover: Leftover) {
    if let Err(error) = CLEANER.send(Task::Remove(leftover)) {
        tracing::warn!(%error, "a private directory cannot be removed");
    }
}

fn serve(tasks: &Receiver<Task>) {
    let mut remains: Vec<Remains> = Vec::new();
    loop {
        let task = match remains.is_empty() {
            true => tasks.recv().map_err(RecvTimeoutError::from),
            false => tasks.recv_timeout(REAP_INTERVAL),
        };
        match task {
            Ok(Task::Reap(child)) => remains.push(child),
            Ok(Task::Remove(leftover)) => leftover.remove(),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        remains.retain(|child| !child.try_reap());
    }
}
