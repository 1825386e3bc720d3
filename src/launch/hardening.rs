//! What was enforced on one plugin's process: facts for the launch report, stated by the code that
//! enforces them.

use std::fmt;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Child, Stdin};

/// Something that was enforced on a plugin's process before its first instruction. A launch where
/// one of them fails does not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hardening {
    /// It has a session and a process group of its own, and no controlling terminal (setsid(2)).
    OwnSession,
    /// The kernel kills it when the host dies (prctl(2) `PR_SET_PDEATHSIG`).
    DiesWithHost,
    /// Neither it nor its children can gain privileges by executing something (prctl(2)
    /// `PR_SET_NO_NEW_PRIVS`).
    NoNewPrivileges,
    /// It leaves no core dump (`RLIMIT_CORE`).
    NoCoreDumps,
    /// What it creates belongs to its user alone (umask 077).
    PrivateFiles,
    /// It has no descriptor but 0, 1 and 2.
    DescriptorsClosed,
    /// Its output goes to sockets, which other processes cannot open through `/proc`.
    SocketOutput,
    /// Its standard input is `/dev/null`.
    NoInput,
    /// Its image could be executed and not read, so that when it started other processes of its
    /// user could neither trace it nor read its environment. What it allows later is its own
    /// affair.
    NotTraceable,
}

impl Hardening {
    pub(super) fn taken(stdin: Stdin, child: &Child) -> Vec<Self> {
        let mut hardening = vec![
            Self::OwnSession,
            Self::DiesWithHost,
            Self::NoNewPrivileges,
            Self::NoCoreDumps,
            Self::PrivateFiles,
            Self::DescriptorsClosed,
            Self::SocketOutput,
        ];
        if stdin == Stdin::Null {
            hardening.push(Self::NoInput);
        }
        if is_not_traceable(child.pid()) {
            hardening.push(Self::NotTraceable);
        }
        hardening
    }
}

/// How often, and how long apart, a process is looked at that is not quite its program yet. Nearly
/// always the first look or the second is the last.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_micros(200);

/// Looked at rather than concluded, because it depends on more than the image. Where this host is
/// root, or has its powers, looking says nothing.
fn is_not_traceable(pid: u32) -> bool {
    if rustix::process::geteuid().is_root() {
        return false;
    }
    let environment = PathBuf::from(format!("/proc/{pid}/environ"));
    for _ in 0..LOOKS {
        match look(&environment) {
            Look::Refused => return true,
            Look::Allowed => return false,
            Look::TooEarly => std::thread::sleep(PAUSE),
        }
    }
    false
}

/// What comes of looking into a process.
enum Look {
    Refused,
    Allowed,
    /// Its memory is new, and nothing is in it yet: whether it may be traced is decided before
    /// there is (execve(2)).
    TooEarly,
}

/// The files of a process that may not be traced belong to root (proc(5)).
fn look(environment: &Path) -> Look {
    match File::open(environment).and_then(|mut file| file.read(&mut [0])) {
        // A plugin's is never empty.
        Ok(0) => Look::TooEarly,
        Ok(_) => Look::Allowed,
        Err(_) => match fs::metadata(environment) {
            Ok(status) if status.uid() == 0 => Look::Refused,
            _ => Look::Allowed,
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
