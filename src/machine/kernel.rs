//! What launching rests on: the kernel's release, and each of its calls that is needed, tried on
//! something that leaves no trace.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::SealFlags;
use rustix::process::PidfdFlags;

use super::report::{Finding, State};
use super::{Guarantee, setting};
use crate::Escaped;
use crate::sys::{self, ExecVectors};
use crate::verify::{Refusal, VerifyError, try_sealing};

/// The oldest kernel that is supported.
const FLOOR: (u32, u32) = (5, 11);

/// Whether memory can be executed in this process namespace (vm.memfd_noexec in sysctl/vm.rst of
/// the kernel's documentation).
const MEMFD_NOEXEC: &str = "/proc/sys/vm/memfd_noexec";

pub(super) fn findings() -> Vec<Finding> {
    let mut findings = vec![release()];
    findings.extend(memory());
    findings.extend([
        exec_by_descriptor(),
        called(Guarantee::ClosedDescriptors, "close_range(2)", sys::close_on_exec_from(u32::MAX)),
        called(Guarantee::ProcessHandle, "pidfd_open(2)", own_pidfd().map(drop)),
        called(
            Guarantee::NoNewPrivileges,
            "prctl(2) PR_GET_NO_NEW_PRIVS",
            rustix::thread::no_new_privs().map(drop).map_err(io::Error::from),
        ),
        peer_identity(),
    ]);
    findings
}

fn release() -> Finding {
    let name = rustix::system::uname();
    let release = name.release().to_bytes();
    let evidence = format!("Linux {}", Escaped::new(release));
    let guarantee = Guarantee::Kernel;
    match str::from_utf8(release).ok().and_then(setting::version) {
        Some(version) if version >= FLOOR => Finding::given(guarantee, evidence),
        Some(_) => Finding::missing(guarantee, format!("{evidence}, which is older than {}.{}", FLOOR.0, FLOOR.1))
            .advise("run a newer kernel: nothing is promised on this one"),
        None => Finding::unknown(guarantee, format!("{evidence}, which is no version")),
    }
}

/// A call that says by its success alone that it is there.
fn called(guarantee: Guarantee, call: &str, result: io::Result<()>) -> Finding {
    match result {
        Ok(()) => Finding::given(guarantee, format!("{call} works")),
        Err(error) => Finding::failed(guarantee, call, &error)
            .advise("run a newer kernel, or let the filter around this process pass the call"),
    }
}

/// The image is made and sealed as for a launch; what is left out is executing it.
fn memory() -> [Finding; 2] {
    let setting = match setting::number(MEMFD_NOEXEC) {
        Ok(Some(value)) => format!("vm.memfd_noexec is {value}"),
        Ok(None) => "there is no vm.memfd_noexec".into(),
        Err(error) => format!("vm.memfd_noexec cannot be read: {error}"),
    };
    let (image, mode) = (Guarantee::SealedImage, Guarantee::SealedMode);
    match try_sealing() {
        Ok(file) => [
            Finding::given(image, format!("{setting}; memory was sealed")),
            match rustix::fs::fcntl_get_seals(&file) {
                Ok(seals) if seals.contains(SealFlags::EXEC) => Finding::given(mode, "F_SEAL_EXEC was kept"),
                Ok(_) => Finding::missing(mode, "the kernel does not know F_SEAL_EXEC")
                    .advise("nothing has to be done: launches do without; Linux 6.3 has it"),
                Err(error) => Finding::failed(mode, "fcntl(2) F_GET_SEALS", &error.into()),
            },
        ],
        Err(error) => {
            let found = match &error {
                VerifyError::Refused { reason: Refusal::SealedExecUnavailable, .. } => {
                    Finding::missing(image, format!("{setting}; executable memory is forbidden"))
                }
                VerifyError::Refused { reason, .. } => Finding::unknown(image, format!("{setting}; {reason}")),
                // Sealing asks no source of truth.
                VerifyError::Source { source, .. } => Finding::unknown(image, format!("{setting}; {source}")),
                VerifyError::Unchecked { doing, source, .. } => {
                    Finding::failed(image, &format!("{setting}; {doing}"), source)
                }
            };
            [
                found.advise("set vm.memfd_noexec to 0 or 1 for this process namespace, or run from private copies"),
                Finding::unknown(mode, "no memory was sealed"),
            ]
        }
    }
}

/// No descriptor is -1, so that nothing is executed: the kernel that knows the call says that the
/// descriptor is bad.
fn exec_by_descriptor() -> Finding {
    let guarantee = Guarantee::ExecByDescriptor;
    let error = sys::execute(-1, &ExecVectors::new(Vec::new(), Vec::new()));
    match error.raw_os_error() {
        Some(libc::EBADF) => Finding::given(guarantee, "execveat(2) works"),
        Some(libc::ENOSYS) if std::path::Path::new("/proc/self/fd").is_dir() => {
            Finding::given(guarantee, "execveat(2) is forbidden here; /proc/self/fd takes its place")
        }
        _ => Finding::failed(guarantee, "execveat(2)", &error)
            .advise("let the filter around this process pass execveat, or mount /proc"),
    }
}

fn own_pidfd() -> io::Result<OwnedFd> {
    Ok(rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?)
}

/// Asks who made a socket that this process made itself.
fn peer_identity() -> Finding {
    let guarantee = Guarantee::PeerIdentity;
    let found = match compare_peer() {
        Ok(Peer::Same) => {
            Finding::given(guarantee, "SO_PEERPIDFD names this process, and pidfds have inodes of their own")
        }
        Ok(Peer::Indistinct) => Finding::new(
            guarantee,
            State::Partly,
            "pidfds have no inodes of their own (Linux 6.9), so processes are compared by number",
        ),
        Ok(Peer::Other) => Finding::missing(guarantee, "SO_PEERPIDFD names another process than this one"),
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Finding::new(
            guarantee,
            State::Partly,
            "the kernel does not know SO_PEERPIDFD (Linux 6.5), so processes are compared by number",
        ),
        Err(error) => Finding::failed(guarantee, "SO_PEERPIDFD", &error),
    };
    found.advise("run a newer kernel")
}

enum Peer {
    Same,
    Indistinct,
    Other,
}

fn compare_peer() -> io::Result<Peer> {
    let (socket, _other) = UnixStream::pair()?;
    let theirs = sys::peer_pidfd(socket.as_fd())?;
    let ours = own_pidfd()?;
    if rustix::fs::fstatfs(&ours)?.f_type != sys::PIDFS_MAGIC {
        return Ok(Peer::Indistinct);
    }
    let identity = |pidfd: &OwnedFd| rustix::fs::fstat(pidfd).map(|status| (status.st_dev, status.st_ino));
    Ok(if identity(&ours)? == identity(&theirs)? { Peer::Same } else { Peer::Other })
}
