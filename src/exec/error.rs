//! Why this process is still itself. Sorted by what the caller can change.

use std::io;

use super::EnvironmentError;

/// This process was not replaced, and the program did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// The environment holds something that no program is given.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// An argument contains a NUL byte.
    #[error("argument {index} contains a NUL byte")]
    Argument {
        /// Which one; 0 is the program's name.
        index: usize,
    },
    /// The plugin is a directory: its verified files lie in a private place, which somebody has to
    /// remove when the program has ended.
    #[error("the plugin is a directory, whose files somebody has to remove afterwards; launch it from a host instead")]
    Bundle,
    /// A step failed.
    #[error("{doing} failed")]
    #[non_exhaustive]
    Failed {
        /// Which step.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl ExecError {
    /// For `map_err`: the step that failed with a system error.
    pub(super) fn step(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Failed { doing, source }
    }
}
