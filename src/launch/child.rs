//! A process that we started: signalled, awaited and reaped through its pidfd, and never outliving
//! this value. Knows nothing of plugins.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};

use super::peer::{Peer, PeerCheck};
use super::reaper;
use crate::fs::PrivateDirectory;
use crate::sys;
use crate::verify::VerifiedPlugin;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Something else in this process reaped it first, so its status is lost.
    Unknown,
}

impl Exit {
    /// Whether it exited with status 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Unknown => f.write_str("an unknown exit status"),
        }
    }
}

impl From<WaitIdStatus> for Exit {
    fn from(status: WaitIdStatus) -> Self {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Unknown,
        }
    }
}

/// A child process, its session's and process group's leader.
///
/// Every signal goes through the pidfd, or to the group while the leader is not reaped: neither
/// number can belong to a stranger then. Dropping it kills the group, and the launcher thread reaps
/// what is left.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    pidfd: Arc<OwnedFd>,
    /// Set when the process was reaped. Held locked while the group is signalled.
    exit: Mutex<Option<Exit>>,
    /// There until the child is dropped.
    resources: Option<Resources>,
}

/// What a process needs on disk for as long as it runs. Gone when it has ended and can no longer
/// put anything there.
#[derive(Debug)]
pub(super) struct Resources {
    #[expect(dead_code, reason = "held, because its files are there for as long as it is")]
    pub(super) plugin: VerifiedPlugin,
    #[expect(dead_code, reason = "held, because it is there for as long as this value")]
    pub(super) directory: PrivateDirectory,
}

impl Child {
    /// Takes hold of a process that this program has just started and nobody has reaped, and of
    /// what belongs to it.
    pub(super) fn new(pid: Pid, pidfd: OwnedFd, resources: Resources) -> Self {
        Self { pid, pidfd: Arc::new(pidfd), exit: Mutex::new(None), resources: Some(resources) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The pidfd: it becomes readable when the process has ended (pidfd_open(2)).
    pub(crate) fn pidfd(&self) -> &Arc<OwnedFd> {
        &self.pidfd
    }

    /// Sends `signal` to the process. That it is gone already is no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        self.try_signal(signal).map(|_| ())
    }

    /// Sends `signal`, and tells whether there still was a process (reaped or not) to send it to.
    fn try_signal(&self, signal: Signal) -> io::Result<bool> {
        match rustix::process::pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Kills the process and everything in its group.
    pub(crate) fn kill(&self) {
        let exit = self.lock();
        if exit.is_some() {
            return;
        }
        match self.try_signal(Signal::KILL) {
            Ok(true) => self.kill_group(),
            // Something else in this program reaped it, so the group's number may be a stranger's
            // by now.
            Ok(false) => {}
            Err(error) => tracing::error!(pid = self.pid(), %error, "a plugin could not be killed"),
        }
    }

    /// Reaps the process if it has ended, and kills what it left in its group. Never blocks.
    pub(crate) fn try_reap(&self) -> Option<Exit> {
        let mut exit = self.lock();
        if exit.is_none() {
            *exit = self.reap();
        }
        *exit
    }

    fn reap(&self) -> Option<Exit> {
        match wait(&self.pidfd, WaitIdOptions::NOWAIT) {
            Ok(None) => return None,
            Ok(Some(_)) => {}
            // Something else in this program reaped it.
            Err(_) => return Some(Exit::Unknown),
        }
        // It has ended and is not reaped, so the number of the group is still its own.
        self.kill_group();
        wait(&self.pidfd, WaitIdOptions::empty()).unwrap_or(Some(Exit::Unknown))
    }

    fn kill_group(&self) {
        match rustix::process::kill_process_group(self.pid, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => tracing::warn!(pid = self.pid(), %error, "a plugin's process group could not be killed"),
        }
    }

    /// Whether the process that made the other end of `socket` is this one.
    ///
    /// Compares pidfds, which unlike process numbers are never used twice; where the kernel has no
    /// `SO_PEERPIDFD` or no unique inode numbers for pidfds it compares the numbers, while the
    /// process is known not to be reaped.
    pub(crate) fn is_peer_of(&self, socket: BorrowedFd<'_>) -> io::Result<Peer> {
        let (pidfd, ours) = match (sys::peer_pidfd(socket), rustix::fs::fstatfs(&*self.pidfd)?.f_type) {
            (Ok(pidfd), sys::PIDFS_MAGIC) => (pidfd, rustix::fs::fstat(&*self.pidfd)?),
            (Ok(_), _) => return self.is_peer_by_number(socket),
            (Err(error), _) if Errno::from_io_error(&error) == Some(Errno::NOPROTOOPT) => {
                return self.is_peer_by_number(socket);
            }
            (Err(error), _) => return Err(error),
        };
        let theirs = rustix::fs::fstat(&pidfd)?;
        match (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino) {
            true => Ok(Peer::Child(PeerCheck::PidFd)),
            false => Ok(Peer::Other(sys::peer_credentials(socket)?.pid.unsigned_abs())),
        }
    }

    fn is_peer_by_number(&self, socket: BorrowedFd<'_>) -> io::Result<Peer> {
        let exit = self.lock();
        let pid = sys::peer_credentials(socket)?.pid.unsigned_abs();
        // Not even ended, so the number cannot be anybody else's; also not if something else in
        // this program reaps children.
        let running = exit.is_none() && wait(&self.pidfd, WaitIdOptions::NOWAIT)?.is_none();
        match running && pid == self.pid() {
            true => Ok(Peer::Child(PeerCheck::ProcessId)),
            false => Ok(Peer::Other(pid)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Exit>> {
        self.exit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long dropping a child waits for the end of the process that it has killed; nearly always it
/// ends much sooner. What takes longer is left to the launcher thread.
const DROP_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        if self.try_reap().is_none() {
            let mut end = [PollFd::new(&*self.pidfd, PollFlags::IN)];
            // Whatever it answers, the next line looks for itself.
            let _ = rustix::event::poll(&mut end, Some(&DROP_WAIT));
        }
        if self.try_reap().is_none() {
            reaper::reap(Unreaped { pidfd: Arc::clone(&self.pidfd), _belongings: self.resources.take() });
        }
    }
}

/// A killed child that nobody holds any more and that is still to be reaped.
#[derive(Debug)]
pub(super) struct Unreaped {
    pidfd: Arc<OwnedFd>,
    _belongings: Option<Resources>,
}

impl Unreaped {
    /// Whether there is nothing left to reap.
    pub(super) fn try_reap(&self) -> bool {
        !matches!(wait(&self.pidfd, WaitIdOptions::empty()), Ok(None))
    }
}

/// waitid(2) without blocking.
fn wait(pidfd: &OwnedFd, options: WaitIdOptions) -> io::Result<Option<Exit>> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | options;
    Ok(rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options)?.map(Exit::from))
}
