//! A child process, signalled and reaped through its pidfd, and the check whether it is at the
//! other end of a socket. Does not know the protocol.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};

use super::reaper::{self, Unreaped};
use crate::fs::PrivateDirectory;
use crate::sys;
use crate::timing::launch::DROP_WAIT;
use crate::verify::VerifiedPlugin;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// Other code in the host process reaped it first, so its status is lost.
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

/// A child process that leads its own session and process group.
///
/// Dropping it kills the process and its group. If the process has not ended after a short wait,
/// the reaper thread reaps it later.
///
/// Process numbers are reused once a process was reaped, so a signal by number could hit another
/// process. The process is signalled through its pidfd. The group has only a number, which is that
/// of its leader, so it is signalled only while the leader is not reaped.
#[derive(Debug)]
pub(crate) struct Child {
    pid: Pid,
    pidfd: Arc<OwnedFd>,
    /// Set when the process was reaped. The lock is held while the group is signalled, so that no
    /// other thread reaps the leader at that moment and frees its number.
    exit: Mutex<Option<Exit>>,
    /// `Some` until the child is dropped.
    resources: Option<Resources>,
}

/// The files that a process uses. They are removed after it has ended, when it can write no more.
#[derive(Debug)]
pub(super) struct Resources {
    #[expect(dead_code, reason = "its files exist as long as it does")]
    pub(super) plugin: VerifiedPlugin,
    #[expect(dead_code, reason = "exists as long as this value")]
    pub(super) directory: PrivateDirectory,
}

impl Child {
    /// Takes over a process that was just started and not reaped.
    pub(super) fn new(pid: Pid, pidfd: OwnedFd, resources: Resources) -> Self {
        Self { pid, pidfd: Arc::new(pidfd), exit: Mutex::new(None), resources: Some(resources) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The pidfd. It is readable once the process has ended (pidfd_open(2)).
    pub(crate) fn pidfd(&self) -> &Arc<OwnedFd> {
        &self.pidfd
    }

    /// Sends `signal` to the process. Succeeds if the process has ended already.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        self.try_signal(signal).map(|_| ())
    }

    /// Sends `signal`. Returns `false` if the process was reaped.
    fn try_signal(&self, signal: Signal) -> io::Result<bool> {
        match rustix::process::pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Kills the process and its group.
    pub(crate) fn kill(&self) {
        let exit = self.lock();
        if exit.is_some() {
            return;
        }
        match self.try_signal(Signal::KILL) {
            Ok(true) => self.kill_group(),
            // Other code in this process has reaped it, so another group may have the number now.
            Ok(false) => {}
            Err(error) => tracing::error!(pid = self.pid(), %error, "cannot kill a plugin"),
        }
    }

    /// Reaps the process if it has ended, and kills the rest of its group. Never blocks.
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
            // ECHILD: other code in this process has reaped it.
            Err(_) => return Some(Exit::Unknown),
        }
        // A zombie until the next line, so the group still has its number.
        self.kill_group();
        wait(&self.pidfd, WaitIdOptions::empty()).unwrap_or(Some(Exit::Unknown))
    }

    fn kill_group(&self) {
        match rustix::process::kill_process_group(self.pid, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => tracing::warn!(pid = self.pid(), %error, "cannot kill a plugin's process group"),
        }
    }

    /// Whether this process created the other end of `socket`, by listen(2) or socketpair(2).
    ///
    /// Compares the inodes of pidfds, which are unique until the next boot (pidfs, Linux 6.9). An
    /// older kernel has no `SO_PEERPIDFD`, or one inode for all pidfds; then this compares process
    /// numbers, while the process cannot have been reaped.
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
        // Checked after the number was read. The process has not ended, so other code cannot have
        // reaped it either, and its number belonged to it all the time.
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

const DROP_TIMEOUT: Timespec =
    Timespec { tv_sec: DROP_WAIT.as_secs() as i64, tv_nsec: DROP_WAIT.subsec_nanos() as i64 };

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
        if self.try_reap().is_none() {
            let mut ended = [PollFd::new(&*self.pidfd, PollFlags::IN)];
            // The result does not matter: `try_reap` checks again.
            let _ = rustix::event::poll(&mut ended, Some(&DROP_TIMEOUT));
        }
        if self.try_reap().is_none() {
            reaper::reap(Unreaped::new(Arc::clone(&self.pidfd), self.resources.take()));
        }
    }
}

/// The process at the other end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The child, and how that was established.
    Child(PeerCheck),
    /// Another process, by its number; 0 if it has none in this pid namespace.
    Other(u32),
}

/// How the host established that the plugin's socket belongs to the process that it launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerCheck {
    /// It compared pidfds (`SO_PEERPIDFD`, Linux 6.5, and pidfs, Linux 6.9).
    PidFd,
    /// It compared process numbers (`SO_PEERCRED`), on an older kernel.
    ProcessId,
    /// It did not: a TCP connection names no process. Only the pinned certificate identifies the
    /// plugin.
    CertificateOnly,
}

impl fmt::Display for PeerCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PidFd => "pidfd",
            Self::ProcessId => "process number",
            Self::CertificateOnly => "certificate only",
        })
    }
}

/// waitid(2) for a child that has ended, without blocking. `None` while it runs.
pub(super) fn wait(pidfd: &OwnedFd, options: WaitIdOptions) -> io::Result<Option<Exit>> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | options;
    Ok(rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), options)?.map(Exit::from))
}
