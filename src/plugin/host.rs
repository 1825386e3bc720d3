//! Is the host still there? A plugin whose host is gone has nobody to serve, and exits.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::PidfdFlags;
use tokio::io::unix::AsyncFd;

use crate::launch;

/// The process that launched this one.
#[derive(Debug)]
pub(super) struct Host(Option<AsyncFd<OwnedFd>>);

impl Host {
    /// Takes hold of the parent. To be called within a runtime.
    pub(super) fn find() -> io::Result<Self> {
        // A parent outside this pid namespace has no number here and cannot be watched.
        let Some(parent) = rustix::process::getppid() else { return Ok(Self(None)) };
        let pidfd = rustix::process::pidfd_open(parent, PidfdFlags::empty())?;
        // Had it died before the line above, the number could be somebody else's. Then the parent is another one by now.
        if rustix::process::getppid() != Some(parent) {
            return Err(io::Error::other("the host is gone already"));
        }
        Ok(Self(Some(launch::watch(pidfd)?)))
    }

    /// Waits until the host is gone.
    pub(super) async fn gone(&self) {
        if let Self(Some(pidfd)) = self
            && pidfd.readable().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}
