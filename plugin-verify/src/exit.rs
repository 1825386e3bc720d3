//! How the program ends: the three exit codes that scripts may rely on. Prints nothing but why
//! nothing could be printed.

use std::io;
use std::process::ExitCode;

use crate::output;

/// The exit code, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything that was asked for was done; what was checked is verified.
    Success = 0,
    /// What was checked was refused.
    Refused = 1,
    /// Something could not be read, checked or written, or the command line is wrong. This is never
    /// a verdict.
    Failed = 2,
}

impl Exit {
    /// The `outcome` in JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Success => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The worse of two.
    pub(crate) fn and(self, other: Self) -> Self {
        if other as u8 > self as u8 { other } else { self }
    }

    /// What becomes of this exit once the output was written, or was not: it stays for a reader who
    /// had seen enough, and nobody may take it for a verdict when the output is lost for another
    /// reason.
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
