//! How the program ends: the two exit codes that scripts may rely on. Prints nothing but why
//! nothing could be printed.

use std::io;
use std::process::ExitCode;

use crate::output;

/// The exit code. There is no 1: this program gives no verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything that was asked for was done.
    Success = 0,
    /// Something could not be read, made or written, or the command line is wrong.
    Failed = 2,
}

impl Exit {
    /// The `outcome` in JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Success => "ok",
            Self::Failed => "failed",
        }
    }

    /// What becomes of this exit once the output was written, or was not: it stays for a reader who
    /// had seen enough.
    pub(crate) fn after(self, written: io::Result<()>) -> Self {
        match written {
            Ok(()) => self,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self,
            Err(error) => {
                output::complain(format_args!("standard output: {error}"));
                Self::Failed
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
