//! Why a verb on a lock file did not do what it was asked for: refused, or not possible. Says it
//! once, in either form.

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::authoring::{LockRefusal, LockWriteError, OfferError};
use portcullis::verify::{SourceError, VerifyError};

use crate::OUTPUT;
use crate::hint;

/// Nothing was written.
#[derive(Debug)]
pub(super) enum Fault {
    Refused(Problem),
    Failed(Problem),
}

impl Fault {
    pub(super) fn report(self, verb: &str, format: OutputFormat) -> Exit {
        match self {
            Self::Refused(problem) => OUTPUT.refused(verb, format, problem),
            Self::Failed(problem) => OUTPUT.failed(verb, format, problem),
        }
    }
}

impl From<SourceError> for Fault {
    fn from(error: SourceError) -> Self {
        match error.is_unreadable() {
            true => Self::Failed(Problem::of(&error)),
            false => Self::Refused(Problem::new(error)),
        }
    }
}

impl From<OfferError> for Fault {
    fn from(error: OfferError) -> Self {
        let advice = match &error {
            OfferError::Verify(VerifyError::Refused { reason, .. }) => hint::what_to_do(reason),
            OfferError::Disagreement { .. } => {
                Some("leave out what the manifest says itself, or name the right manifest with --manifest")
            }
            OfferError::OtherPlatform { .. } => Some("name the platform that it was built for with --platform"),
            _ => None,
        };
        match error.is_refusal() {
            // The texts of its causes are part of its own.
            true => Self::Refused(Problem::new(error).with_hint(advice)),
            false => Self::Failed(Problem::of(&error)),
        }
    }
}

impl From<LockRefusal> for Fault {
    fn from(refusal: LockRefusal) -> Self {
        Self::Refused(Problem::new(&refusal).with_hint(hint::on_agreement(&refusal)))
    }
}

impl From<LockWriteError> for Fault {
    fn from(error: LockWriteError) -> Self {
        Self::Failed(Problem::of(&error))
    }
}
