//! The three exit codes that scripts may rely on. Prints nothing.

use std::process::ExitCode;

/// How a program ends, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(clippy::exhaustive_enums, reason = "scripts rely on these three; a fourth is a breaking change")]
pub enum Exit {
    /// Everything that was asked for was done. Everything checked is verified.
    Success = 0,
    /// The program gave a negative verdict: a file, record or request was refused.
    Refused = 1,
    /// Something could not be read, checked or written, or the command line is wrong. This is never
    /// a verdict.
    Failed = 2,
}

impl Exit {
    /// The value of `outcome` in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The worse of two exits.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_exit_wins() {
        assert_eq!(Exit::Success.and(Exit::Refused), Exit::Refused);
        assert_eq!(Exit::Failed.and(Exit::Refused), Exit::Failed);
        assert_eq!(Exit::Success.and(Exit::Success), Exit::Success);
    }
}
