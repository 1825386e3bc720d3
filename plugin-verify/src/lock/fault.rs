//! Why a verb on a lock file did not do what it was asked for: refused, or not possible. Says it
//! once, in either form.

use portcullis::Chain;
use portcullis::verify::{LockRefusal, LockWriteError, OfferError, SourceError, VerifyError};

use crate::exit::Exit;
use crate::{hint, output};

/// Nothing was written.
#[derive(Debug)]
pub(super) enum Fault {
    /// The reason, and what a person can do about it.
    Refused(String, Option<&'static str>),
    Failed(String),
}

impl Fault {
    pub(super) fn report(self, verb: &str, form: output::Form) -> Exit {
        match self {
            Self::Refused(reason, hint) => output::refused(verb, form, reason, hint),
            Self::Failed(reason) => output::failed(verb, form, reason),
        }
    }
}

impl From<SourceError> for Fault {
    fn from(error: SourceError) -> Self {
        match error.is_unreadable() {
            true => Self::Failed(Chain::of(&error).to_string()),
            false => Self::Refused(error.to_string(), None),
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
            true => Self::Refused(error.to_string(), advice),
            false => Self::Failed(Chain::of(&error).to_string()),
        }
    }
}

impl From<LockRefusal> for Fault {
    fn from(refusal: LockRefusal) -> Self {
        Self::Refused(refusal.to_string(), hint::on_agreement(&refusal))
    }
}

impl From<LockWriteError> for Fault {
    fn from(error: LockWriteError) -> Self {
        Self::Failed(Chain::of(&error).to_string())
    }
}
