//! What launching rests on: the kernel's release, and each of its calls that is needed, tried on
//! something that leaves no trace.

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

/// The oldest kernel that is supported.
const FLOOR: (u32, u32) = (5, 11);

/// Whether memory can be executed in this process namespace (vm.memfd_noexec in sysctl/vm.rst of
/// the kernel's documentation).
const MEMFD_NOEXEC: &str = "/proc/sys/vm/memfd_noexec";

pub(super) fn assessments() -> Vec<Assessment> {
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
        Some(version) if version >= FLOOR => Assessment::given(guarantee, evidence),
        Some(_) => Assessment::missing(guarantee, format!("{evidence}, which is older than {}.{}", FLOOR.0, FLOOR.1))
            .advise("run a newer kernel: nothing is promised on this one"),
        None => Assessment::unknown(guarantee, format!("{evidence}, which is no version")),
    }
}

/// A call that says by its success alone that it is there.
fn called(guarantee: Guarantee, call: &str, result: io::Result<()>) -> Assessment {
    match result {
        Ok(()) => Assessment::given(guarantee, format!("{call} works")),
        Err(error) => Assessment::failed(guarantee, call, &error)
            .advise("run a newer kernel, or let the filter around this process pass the call"),
    }
}

/// The image is made and sealed as for a launch; what is left out is executing it.
fn memory() -> [Assessment; 2] {
    let setting = match procfs::number(MEMFD_NOEXEC) {
        Ok(Some(value)) => format!("vm.memfd_noexec is {value}"),
        Ok(None) => "there is no vm.memfd_noexec".into(),
        Err(error) => format!("vm.memfd_noexec cannot be read: {error}"),
    };
    let (image, mode) = (Guarantee::SealedImage, Guarantee::SealedMode);
    match try_sealing() {
        Ok(file) => [
            Assessment::given(image, format!("{setting}; memory was sealed")),
            match rustix::fs::fcntl_get_seals(&file) {
                Ok(seals) if seals.contains(SealFlags::EXEC) => Assessment::given(mode, "F_SEAL_EXEC was kept"),
                Ok(_) => Assessment::missing(mode, "the kernel does not know F_SEAL_EXEC")
                    .advise("nothing has to be done: launches do without; Linux 6.3 has it"),
                Err(error) => Assessment::failed(mode, "fcntl(2) F_GET_SEALS", &error.into()),
            },
        ],
        Err(error) => {
            let found = match &error {
                VerifyError::Refused { reason: Refusal::SealedExecUnavailable, .. } => {
                    Assessment::missing(image, format!("{setting}; executable memory is forbidden"))
                }
                VerifyError::Refused { reason, .. } => Assessment::unknown(image, format!("{setting}; {reason}")),
                // Sealing asks no source of truth.
                VerifyError::Source { source, .. } => Assessment::unknown(image, format!("{setting}; {source}")),
                VerifyError::Unchecked { doing, source, .. } => {
                    Assessment::failed(image, &format!("{setting}; {doing}"), source)
                }
            };
            [
                found.advise("set vm.memfd_noexec to 0 or 1 for this process namespace, or run from private copies"),
                Assessment::unknown(mode, "no memory was sealed"),
            ]
        }
    }
}

/// No descriptor is -1, so that nothing is executed: the kernel that knows the call says that the
/// descriptor is bad.
fn exec_by_descriptor() -> Assessment {
    let guarantee = Guarantee::ExecByDescriptor;
    let error = sys::execute(-1, &ExecVectors::new(Vec::new(), Vec::new()));
    match error.raw_os_error() {
        Some(libc::EBADF) => Assessment::given(guarantee, "execveat(2) works"),
        Some(libc::ENOSYS) if std::path::Path::new("/proc/self/fd").is_dir() => {
            Assessment::given(guarantee, "execveat(2) is forbidden here; /proc/self/fd takes its place")
        }
        _ => Assessment::failed(guarantee, "execveat(2)", &error)
            .advise("let the filter around this process pass execveat, or mount /proc"),
    }
}

fn own_pidfd() -> io::Result<OwnedFd> {
    Ok(rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?)
}

/// Asks who made a socket that this process made itself.
fn peer_identity() -> Assessment {
    let guarantee = Guarantee::PeerIdentity;
    let found = match compare_peer() {
        Ok(PidfdComparison::Same) => {
            Assessment::given(guarantee, "SO_PEERPIDFD names this process, and pidfds have inodes of their own")
        }
        Ok(PidfdComparison::Indistinct) => Assessment::new(
            guarantee,
            GuaranteeStatus::Partly,
            "pidfds have no inodes of their own (Linux 6.9), so processes are compared by number",
        ),
        Ok(PidfdComparison::Other) => {
            Assessment::missing(guarantee, "SO_PEERPIDFD names another process than this one")
        }
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Assessment::new(
            guarantee,
            GuaranteeStatus::Partly,
            "the kernel does not know SO_PEERPIDFD (Linux 6.5), so processes are compared by number",
        ),
        Err(error) => Assessment::failed(guarantee, "SO_PEERPIDFD", &error),
    };
    found.advise("run a newer kernel")
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
