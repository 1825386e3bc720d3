//! The plugin's process: watched from start to end, signalled, awaited and reaped.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch as state;

use crate::launch::{Child, Exit};
use crate::sys;

/// A child process and the task that watches it. Dropping this kills the process and its group; the
/// task then reaps it.
#[derive(Debug)]
pub(super) struct Process {
    child: Arc<Child>,
    exit: state::Receiver<Option<Exit>>,
}

impl Process {
    /// Starts to watch the child. Must be called within a runtime.
    pub(super) fn watch(child: Child) -> io::Result<Self> {
        let child = Arc::new(child);
        let end = sys::watch(Arc::clone(child.pidfd()), Interest::READABLE)?;
        let (sender, exit) = state::channel(None);
        tokio::spawn(notice_end(Arc::clone(&child), end, sender));
        Ok(Self { child, exit })
    }

    pub(super) fn child(&self) -> &Child {
        &self.child
    }

    /// The exit of the process, if it has ended. Asks the kernel too, so that the answer is right
    /// after the runtime of the watching task is gone.
    pub(super) fn exit(&self) -> Option<Exit> {
        self.exit.borrow().or_else(|| self.child.try_reap())
    }

    /// A handle on the exit, for tasks that must end with the process.
    pub(super) fn end(&self) -> End {
        End { exit: self.exit.clone(), child: Arc::downgrade(&self.child) }
    }

    /// Waits for the end of the process.
    pub(super) async fn ended(&self) -> Exit {
        self.end().wait().await
    }

    /// Waits for the end of the process, at most `limit`.
    pub(super) async fn ended_within(&self, limit: Duration) -> Option<Exit> {
        tokio::time::timeout(limit, self.ended()).await.ok()
    }

    pub(super) fn terminate(&self) {
        if let Err(error) = self.child.signal(Signal::TERM) {
            tracing::warn!(pid = self.child.pid(), %error, "a plugin could not be asked to terminate");
        }
    }

    pub(super) fn kill(&self) {
        self.child.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill();
    }
}

/// The exit of a process, past or to come.
#[derive(Debug, Clone)]
pub(super) struct End {
    exit: state::Receiver<Option<Exit>>,
    child: Weak<Child>,
}

impl End {
    pub(super) async fn wait(&mut self) -> Exit {
        match self.exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.unwrap_or(Exit::Unknown),
            // The watching task is gone with its runtime, so no wake-up will come: all that is left
            // is to ask the kernel now.
            Err(_) => self.child.upgrade().and_then(|child| child.try_reap()).unwrap_or(Exit::Unknown),
        }
    }
}

async fn notice_end(child: Arc<Child>, end: AsyncFd<Arc<OwnedFd>>, sender: state::Sender<Option<Exit>>) {
    loop {
        if let Some(exit) = child.try_reap() {
            tracing::debug!(pid = child.pid(), %exit, "a plugin's process has ended");
            sender.send_replace(Some(exit));
            return;
        }
        match end.readable().await {
            Ok(mut readiness) => readiness.clear_ready(),
            Err(error) => {
                tracing::error!(pid = child.pid(), %error, "a plugin's process can no longer be watched");
                return;
            }
        }
    }
}
