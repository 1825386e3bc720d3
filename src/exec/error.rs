//! Why this process was not replaced.

use std::io;

use super::EnvironmentError;

/// This process was not replaced. The program did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// A variable of the environment is not allowed.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// An argument contains a NUL byte.
    #[error("argument {index} contains a NUL byte")]
    Argument {
        /// The argument's index; 0 is the program's name.
        index: usize,
    },
    /// The plugin is a directory. Its verified files are in a private directory, which must be
    /// removed after the program has ended.
    #[error(
        "the plugin is a directory, and its private files must be removed after it has ended; launch it from a host"
    )]
    Bundle,
    /// A step failed.
    #[error("{step} failed")]
    #[non_exhaustive]
    Failed {
        /// The step.
        step: ExecStep,
        /// The system's error.
        source: io::Error,
    },
}

impl ExecError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Environment(error) => error.code(),
            Self::Argument { .. } => "argument-nul",
            Self::Bundle => "exec-directory",
            Self::Failed { step, .. } => step.code(),
        }
    }

    /// For `map_err`: the error of a step.
    pub(super) fn step(step: ExecStep) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Failed { step, source }
    }
}

/// A step of replacing this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecStep {
    /// Making the image executable and not readable.
    #[error("making the program's image execute-only")]
    ExecuteOnly,
    /// Unlinking a private copy.
    #[error("removing the program's private copy from disk")]
    RemoveCopy,
    /// prctl(2) `PR_SET_NO_NEW_PRIVS`.
    #[error("forbidding new privileges to the program")]
    NoNewPrivileges,
    /// close_range(2).
    #[error("closing this process's descriptors in the program")]
    Descriptors,
    /// rt_sigaction(2) and rt_sigprocmask(2).
    #[error("restoring the default actions of signals")]
    Signals,
    /// execveat(2).
    #[error("executing the program")]
    Execute,
}

impl ExecStep {
    fn code(self) -> &'static str {
        match self {
            Self::ExecuteOnly => "exec-image",
            Self::RemoveCopy => "exec-remove-copy",
            Self::NoNewPrivileges => "exec-no-new-privileges",
            Self::Descriptors => "exec-descriptors",
            Self::Signals => "exec-signals",
            Self::Execute => "exec-execute",
        }
    }
}
