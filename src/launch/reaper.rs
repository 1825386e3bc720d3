//! The thread that reaps killed processes whose [`Child`](super::Child) was dropped before they had
//! ended, so that no caller waits for them.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use rustix::process::WaitIdOptions;

use super::child::{Resources, wait};
use crate::timing::launch::REAP_INTERVAL;
use crate::worker::Worker;

/// A killed process that was not reaped yet, with the files that it may still use.
#[derive(Debug)]
pub(super) struct Unreaped {
    pidfd: Arc<OwnedFd>,
    _resources: Option<Resources>,
}

impl Unreaped {
    pub(super) fn new(pidfd: Arc<OwnedFd>, resources: Option<Resources>) -> Self {
        Self { pidfd, _resources: resources }
    }

    /// Whether the process is reaped now, by this call or by other code.
    fn try_reap(&self) -> bool {
        !matches!(wait(&self.pidfd, WaitIdOptions::empty()), Ok(None))
    }
}

static REAPER: Worker<Unreaped> = Worker::new("portcullis-reaper", serve);

/// Reaps a killed process on the reaper thread once it has ended, and drops its resources then.
pub(super) fn reap(process: Unreaped) {
    if let Err(error) = REAPER.send(process) {
        tracing::error!(%error, "cannot reap a killed plugin");
    }
}

fn serve(killed: &Receiver<Unreaped>) {
    let mut unreaped: Vec<Unreaped> = Vec::new();
    loop {
        // A killed process ends within a moment. It stays only if it is stuck in the kernel, so
        // polling is rare.
        let next = match unreaped.is_empty() {
            true => killed.recv().map_err(RecvTimeoutError::from),
            false => killed.recv_timeout(REAP_INTERVAL),
        };
        match next {
            Ok(process) => unreaped.push(process),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        unreaped.retain(|process| !process.try_reap());
    }
}
