//! The kernel's release, and the system calls that a launch needs, each tried so that it leaves no
//! trace.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::fs::SealFlags;
use rustix::process::PidfdFlags;

use super::report::{Assessment, GuaranteeStatus};
use super::{Guarantee, procfs};
use crate::Escaped;
use crate::sys::{self, ExecVectors};
use crate::verify::{Refusal, VerifyError, try_sealing};

/// The oldest kernel that this library supports.
const OLDEST_KERNEL: (u32, u32) = (5, 11);

/// The setting that can forbid executing memory in this pid namespace (Documentation/admin-guide/
/// sysctl/vm.rst of the kernel).
const MEMFD_NOEXEC: &str = "/proc/sys/vm/memfd_noexec";

pub(super) fn assess() -> Vec<Assessment> {
    let mut assessments = vec![release()];
    assessments.extend(memory());
    assessments.extend([
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
    assessments
}

fn release() -> Assessment {
    let name = rustix::system::uname();
    let release = name.release().to_bytes();
    let evidence = format!("Linux {}", Escaped::new(release));
    let guarantee = Guarantee::Kernel;
    match str::from_utf8(release).ok().and_then(procfs::version) {
        Some(version) if version >= OLDEST_KERNEL => Assessment::given(guarantee, evidence),
        Some(_) => Assessment::missing(
            guarantee,
            format!("{evidence}, which is older than {}.{}", OLDEST_KERNEL.0, OLDEST_KERNEL.1),
        ),
        None => Assessment::unknown(guarantee, format!("{evidence}, which is not a version")),
    }
}

/// For a call whose success is all the evidence that is needed.
fn called(guarantee: Guarantee, call: &str, result: io::Result<()>) -> Assessment {
    match result {
        Ok(()) => Assessment::given(guarantee, format!("{call} works")),
        Err(error) => Assessment::failed(guarantee, call, &error),
    }
}

/// Creates and seals an image as a launch does, and does not execute it.
fn memory() -> [Assessment; 2] {
    let setting = match procfs::number(MEMFD_NOEXEC) {
        Ok(Some(value)) => format!("vm.memfd_noexec is {value}"),
        Ok(None) => "vm.memfd_noexec does not exist".into(),
        Err(error) => format!("vm.memfd_noexec cannot be read: {error}"),
    };
    let (image, mode) = (Guarantee::SealedImage, Guarantee::SealedMode);
    match try_sealing() {
        Ok(file) => [
            Assessment::given(image, format!("{setting}; memory was sealed")),
            match rustix::fs::fcntl_get_seals(&file) {
                Ok(seals) if seals.contains(SealFlags::EXEC) => Assessment::given(mode, "F_SEAL_EXEC is supported"),
                Ok(_) => Assessment::missing(mode, "the kernel has no F_SEAL_EXEC"),
                Err(error) => Assessment::failed(mode, "fcntl(2) F_GET_SEALS", &error.into()),
            },
        ],
        Err(error) => {
            let found = match &error {
                VerifyError::Refused { reason: Refusal::SealedExecUnavailable, .. } => {
                    Assessment::missing(image, format!("{setting}; executable memory is forbidden"))
                }
                VerifyError::Refused { reason, .. } => Assessment::unknown(image, format!("{setting}; {reason}")),
                // Cannot happen: sealing reads no source of trust.
                VerifyError::Source { source, .. } => Assessment::unknown(image, format!("{setting}; {source}")),
                VerifyError::Unchecked { doing, source, .. } => {
                    Assessment::failed(image, &format!("{setting}; {doing}"), source)
                }
            };
            [found, Assessment::unknown(mode, "no memory was sealed")]
        }
    }
}

/// Executes descriptor -1, which fails: with EBADF if the kernel has the call, with ENOSYS if it or
/// a filter does not.
fn exec_by_descriptor() -> Assessment {
    let guarantee = Guarantee::ExecByDescriptor;
    let error = sys::execute(-1, &ExecVectors::new(Vec::new(), Vec::new()));
    match error.raw_os_error() {
        Some(libc::EBADF) => Assessment::given(guarantee, "execveat(2) works"),
        Some(libc::ENOSYS) if std::path::Path::new("/proc/self/fd").is_dir() => {
            Assessment::given(guarantee, "execveat(2) is forbidden here; /proc/self/fd takes its place")
        }
        _ => Assessment::failed(guarantee, "execveat(2)", &error),
    }
}

fn own_pidfd() -> io::Result<OwnedFd> {
    Ok(rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?)
}

/// Asks the kernel for the creator of a socket that this process has created.
fn peer_identity() -> Assessment {
    let guarantee = Guarantee::PeerIdentity;
    match compare_peer() {
        Ok(PidfdComparison::Same) => {
            Assessment::given(guarantee, "SO_PEERPIDFD names this process, and each pidfd has a unique inode")
        }
        Ok(PidfdComparison::Indistinct) => Assessment::new(
            guarantee,
            GuaranteeStatus::Partly,
            "pidfds have no unique inodes (Linux 6.9), so processes are compared by number",
        ),
        Ok(PidfdComparison::Other) => Assessment::missing(guarantee, "SO_PEERPIDFD names another process"),
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Assessment::new(
            guarantee,
            GuaranteeStatus::Partly,
            "the kernel has no SO_PEERPIDFD (Linux 6.5), so processes are compared by number",
        ),
        Err(error) => Assessment::failed(guarantee, "SO_PEERPIDFD", &error),
    }
}

enum PidfdComparison {
    Same,
    Indistinct,
    Other,
}

fn compare_peer() -> io::Result<PidfdComparison> {
    let (socket, _other) = UnixStream::pair()?;
    let theirs = sys::peer_pidfd(socket.as_fd())?;
    let ours = own_pidfd()?;
    if rustix::fs::fstatfs(&ours)?.f_type != sys::PIDFS_MAGIC {
        return Ok(PidfdComparison::Indistinct);
    }
    let identity = |pidfd: &OwnedFd| rustix::fs::fstat(pidfd).map(|status| (status.st_dev, status.st_ino));
    Ok(if identity(&ours)? == identity(&theirs)? { PidfdComparison::Same } else { PidfdComparison::Other })
}
