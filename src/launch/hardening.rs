//! The restrictions on one plugin's process, for the launch report. `spawn` applies them.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Child, Stdin};
use crate::limits::launch::TRACE_CHECKS;
use crate::timing::launch::TRACE_CHECK_PAUSE;

/// A restriction that was in force before the plugin's first instruction. If one cannot be applied,
/// the launch fails; [`NotTraceable`](Self::NotTraceable) is reported only where it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hardening {
    /// It has its own session and process group, and no controlling terminal (setsid(2)).
    OwnSession,
    /// The kernel kills it when the host dies (prctl(2) `PR_SET_PDEATHSIG`).
    DiesWithHost,
    /// Neither it nor its children gain privileges by executing a program (prctl(2)
    /// `PR_SET_NO_NEW_PRIVS`).
    NoNewPrivileges,
    /// It leaves no core dump (`RLIMIT_CORE`).
    NoCoreDumps,
    /// Only its user can access the files that it creates (umask 077).
    PrivateFiles,
    /// It inherits no descriptor but 0, 1 and 2.
    DescriptorsClosed,
    /// It writes its output to sockets, which other processes cannot open through `/proc`.
    SocketOutput,
    /// Its standard input is `/dev/null`.
    NoInput,
    /// When it started, other processes of its user could neither trace it nor read its
    /// environment, because its image was executable and not readable. A plugin can allow tracing
    /// later.
    NotTraceable,
}

impl Hardening {
    pub(super) fn applied(stdin: Stdin, child: &Child) -> Vec<Self> {
        let mut applied = vec![
            Self::OwnSession,
            Self::DiesWithHost,
            Self::NoNewPrivileges,
            Self::NoCoreDumps,
            Self::PrivateFiles,
            Self::DescriptorsClosed,
            Self::SocketOutput,
        ];
        if stdin == Stdin::Null {
            applied.push(Self::NoInput);
        }
        if is_not_traceable(child.pid()) {
            applied.push(Self::NotTraceable);
        }
        applied
    }
}

/// Whether the kernel keeps other processes of this user from tracing the process. Checked, because
/// it depends on more than the image. Says nothing if the host is root, or has root's capabilities.
fn is_not_traceable(pid: u32) -> bool {
    if rustix::process::geteuid().is_root() {
        return false;
    }
    let environ = PathBuf::from(format!("/proc/{pid}/environ"));
    for _ in 0..TRACE_CHECKS {
        match environ_access(&environ) {
            EnvironAccess::Denied => return true,
            EnvironAccess::Granted => return false,
            EnvironAccess::NotYet => std::thread::sleep(TRACE_CHECK_PAUSE),
        }
    }
    false
}

/// Whether this host can read the environment of a process, which takes the right to trace it
/// (proc_pid_environ(5)).
enum EnvironAccess {
    Denied,
    Granted,
    /// The process has new memory, and the program is not in it yet (execve(2)). The kernel decides
    /// about tracing before it is.
    NotYet,
}

fn environ_access(environ: &Path) -> EnvironAccess {
    match File::open(environ).and_then(|mut file| file.read(&mut [0])) {
        // A plugin's environment is never empty.
        Ok(0) => EnvironAccess::NotYet,
        Ok(_) => EnvironAccess::Granted,
        // The files of a process that is not dumpable belong to root (proc(5)).
        Err(_) => match fs::metadata(environ) {
            Ok(status) if status.uid() == 0 => EnvironAccess::Denied,
            _ => EnvironAccess::Granted,
        },
    }
}

impl fmt::Display for Hardening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnSession => "own session",
            Self::DiesWithHost => "dies with the host",
            Self::NoNewPrivileges => "no new privileges",
            Self::NoCoreDumps => "no core dumps",
            Self::PrivateFiles => "umask 077",
            Self::DescriptorsClosed => "descriptors closed",
            Self::SocketOutput => "output over sockets",
            Self::NoInput => "no input",
            Self::NotTraceable => "not traceable",
        })
    }
}
