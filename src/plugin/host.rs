//! Is the host still there? A plugin whose host is gone has nobody to serve, and exits.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::process::{Pid, PidfdFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::sys;

/// The process that launched this one.
#[derive(Debug)]
pub(super) struct Host {
    pid: Option<u32>,
    end: Option<AsyncFd<Arc<OwnedFd>>>,
}

impl Host {
    /// Takes hold of `parent`, the parent at the time when the plugin started. To be called within
    /// a runtime.
    pub(super) fn hold(parent: Option<Pid>) -> io::Result<Self> {
        // A parent outside this pid namespace has no number here and cannot be watched.
        let Some(parent) = parent else { return Ok(Self { pid: None, end: None }) };
        let pidfd = rustix::process::pidfd_open(parent, PidfdFlags::empty())?;
        // Had it died before the line above, the number could be somebody else's. Then the parent
        // is another one by now.
        if rustix::process::getppid() != Some(parent) {
            return Err(io::Error::other("the host is gone already"));
        }
        let pid = parent.as_raw_nonzero().get().unsigned_abs();
        Ok(Self { pid: Some(pid), end: Some(sys::watch(Arc::new(pidfd), Interest::READABLE)?) })
    }

    /// Its number.
    pub(super) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Waits until the host is gone.
    pub(super) async fn gone(&self) {
        if let Some(pidfd) = &self.end
            && pidfd.readable().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}
