//! Why a verified plugin did not start. Everything that was begun is undone before the error is
//! returned.

use std::io;
use std::path::PathBuf;

use super::EnvironmentError;
use crate::Escaped;

/// A verified plugin could not be started. No process and no directory is left.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// A variable of the environment is not allowed.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// An argument contains a NUL byte.
    #[error("argument {index} contains a NUL byte")]
    Argument {
        /// The argument's index; 0 is the program's name.
        index: usize,
    },
    /// The private directory could not be created.
    #[error("cannot create a private directory in {}", Escaped::path(path))]
    Directory {
        /// Its parent directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another user could replace the private directory.
    #[error(
        "{} cannot hold a private directory: user {owner} owns it and its mode is {mode:04o}, so others can rename entries; choose another directory (with_runtime_directory, or TMPDIR)",
        Escaped::path(path)
    )]
    #[non_exhaustive]
    UnsafeDirectory {
        /// The parent directory, or one above it.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The path of a socket in the private directory would be too long (unix(7)).
    #[error(
        "{} is longer than {limit} bytes, which leaves no room for a socket's name; choose a shorter path (with_runtime_directory, or TMPDIR)",
        Escaped::path(path)
    )]
    PathTooLong {
        /// The parent directory.
        path: PathBuf,
        /// The longest path that is accepted, in bytes.
        limit: usize,
    },
    /// A handshake line could not contain the path of the private directory.
    #[error("{} cannot hold a private directory: its path contains '|' or a line break", Escaped::path(path))]
    PathCharacters {
        /// The parent directory.
        path: PathBuf,
    },
    /// This process ignores SIGCHLD or has set SA_NOCLDWAIT, so the kernel discards the exit status
    /// of its children (waitpid(2)).
    #[error(
        "this process ignores SIGCHLD, so it would not learn that a plugin has ended; restore the signal's default action"
    )]
    SigchldIgnored,
    /// The process did not start before the deadline. If it starts later, it is killed immediately.
    #[error("the plugin's process did not start in time")]
    Timeout,
    /// A step failed, in this process or in the new one before it became the plugin.
    #[error("{step} failed")]
    #[non_exhaustive]
    Start {
        /// The step.
        step: Step,
        /// The system's error.
        source: io::Error,
    },
}

impl LaunchError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Environment(error) => error.code(),
            Self::Argument { .. } => "argument-nul",
            Self::Directory { .. } => "private-directory",
            Self::UnsafeDirectory { .. } => "private-directory-writable-by-others",
            Self::PathTooLong { .. } => "private-directory-path-too-long",
            Self::PathCharacters { .. } => "private-directory-path-characters",
            Self::SigchldIgnored => "sigchld-ignored",
            Self::Timeout => "spawn-timeout",
            Self::Start { step, .. } => step.code(),
        }
    }

    pub(super) fn start(step: Step) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Start { step, source }
    }
}

/// A step of starting a process. Those of the new process happen between clone(2) and execveat(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Step {
    /// Creating sockets for the plugin's output, opening its standard input, clone(2).
    #[error("preparing the plugin's process")]
    Prepare,
    /// chdir(2).
    #[error("entering the plugin's working directory")]
    WorkingDirectory,
    /// setsid(2).
    #[error("creating a session for the plugin")]
    Session,
    /// prctl(2) `PR_SET_PDEATHSIG`, and the check that the parent still exists.
    #[error("tying the plugin's lifetime to the host's")]
    ParentDeath,
    /// prctl(2) `PR_SET_NO_NEW_PRIVS`.
    #[error("forbidding new privileges to the plugin")]
    NoNewPrivileges,
    /// setrlimit(2) `RLIMIT_CORE`.
    #[error("disabling core dumps")]
    CoreLimit,
    /// close_range(2).
    #[error("closing the host's descriptors in the plugin's process")]
    Descriptors,
    /// execveat(2).
    #[error("executing the plugin")]
    Execute,
    /// Watching the process through its pidfd.
    #[error("watching the plugin's process")]
    ProcessHandle,
    /// The thread that starts plugins.
    #[error("reaching the launcher thread")]
    Launcher,
}

impl Step {
    fn code(self) -> &'static str {
        match self {
            Self::Prepare => "spawn-prepare",
            Self::WorkingDirectory => "spawn-working-directory",
            Self::Session => "spawn-session",
            Self::ParentDeath => "spawn-parent-death",
            Self::NoNewPrivileges => "spawn-no-new-privileges",
            Self::CoreLimit => "spawn-core-limit",
            Self::Descriptors => "spawn-descriptors",
            Self::Execute => "spawn-execute",
            Self::ProcessHandle => "spawn-process-handle",
            Self::Launcher => "spawn-launcher",
        }
    }
}
