//! Why a verified plugin could not be started. Whatever was begun is undone before one of these is
//! returned.

use std::io;
use std::path::PathBuf;

use super::EnvironmentError;
use crate::Escaped;

/// A verified plugin could not be started. No process is left, and no directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The environment holds something that no plugin is given.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// An argument contains a NUL byte.
    #[error("argument {index} contains a NUL byte")]
    Argument {
        /// Which one; 0 is the program's name.
        index: usize,
    },
    /// The private directory could not be made.
    #[error("a private directory in {} could not be made", Escaped::path(path))]
    Directory {
        /// The place.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another user could replace the private directory.
    #[error(
        "{} is no place for a private directory: user {owner} owns it and its mode is {mode:04o}, so others can rename what is in it; choose another (with_runtime_directory, or TMPDIR)",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    UnsafeDirectory {
        /// The directory, or one above it.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The path of a socket in the private directory would be too long (unix(7)).
    #[error(
        "{} has more than {limit} bytes, which leaves no room for a socket's name; choose a shorter place (with_runtime_directory, or TMPDIR)",
        Escaped::path(path)
    )]
    PathTooLong {
        /// The directory.
        path: PathBuf,
        /// The longest path that is accepted.
        limit: usize,
    },
    /// The path of the place for private directories cannot stand in a handshake line.
    #[error("{} cannot hold a private directory: its path contains '|' or a line break", Escaped::path(path))]
    PathCharacters {
        /// The place.
        path: PathBuf,
    },
    /// This process ignores SIGCHLD or has set SA_NOCLDWAIT, so the kernel reports the end of no
    /// child (waitpid(2)): a plugin could not be watched.
    #[error(
        "this process ignores SIGCHLD, so the end of a plugin would go unnoticed; give that signal its default action"
    )]
    SigchldIgnored,
    /// The process could not be started in time. Should it start all the same, it is killed at
    /// once.
    #[error("the plugin's process was not started in time")]
    Timeout,
    /// A step of starting the process failed, in this process or in the new one before it became
    /// the plugin.
    #[error("{step} failed")]
    #[non_exhaustive]
    Start {
        /// Which step.
        step: Step,
        /// The system's answer.
        source: io::Error,
    },
}

/// A step of starting the process. Those that concern the new process happen between clone(2) and
/// execveat(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Step {
    /// Sockets for the plugin's output, its standard input, the new process itself.
    #[error("preparing the plugin's process")]
    Prepare,
    /// chdir(2).
    #[error("entering the plugin's working directory")]
    WorkingDirectory,
    /// setsid(2).
    #[error("giving the plugin its own session")]
    Session,
    /// prctl(2) `PR_SET_PDEATHSIG`, and the check that the parent is still there.
    #[error("tying the plugin's life to the host's")]
    ParentDeath,
    /// prctl(2) `PR_SET_NO_NEW_PRIVS`.
    #[error("forbidding the plugin new privileges")]
    NoNewPrivileges,
    /// setrlimit(2) `RLIMIT_CORE`.
    #[error("switching off core dumps")]
    CoreLimit,
    /// close_range(2).
    #[error("closing the host's descriptors to the plugin")]
    Descriptors,
    /// execveat(2).
    #[error("executing the plugin")]
    Execute,
    /// pidfd_open(2).
    #[error("holding on to the plugin's process")]
    ProcessHandle,
    /// The thread that launches plugins.
    #[error("reaching the launcher thread")]
    Launcher,
}

impl LaunchError {
    pub(super) fn start(step: Step) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Start { step, source }
    }
}
