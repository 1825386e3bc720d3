//! What was found out, and whether it is enough. Looks at nothing itself.

use std::fmt;
use std::io;

use rustix::io::Errno;

use super::Guarantee;

/// Whether a machine gives something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuaranteeStatus {
    /// It does.
    Given,
    /// It gives less than the whole of it; the evidence says what.
    Partly,
    /// It does not.
    Missing,
    /// Nobody can tell.
    Unknown,
}

impl fmt::Display for GuaranteeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Given => "given",
            Self::Partly => "partly",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        })
    }
}

/// One guarantee, and what was found out about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assessment {
    /// What this is about.
    pub guarantee: Guarantee,
    /// Whether the machine gives it.
    pub status: GuaranteeStatus,
    /// Whether a launch needs it by default, or it was required by name.
    pub required: bool,
    /// What was seen. Whatever is foreign in it is escaped.
    pub evidence: String,
    /// What can be done about it.
    pub advice: Option<&'static str>,
}

impl Assessment {
    pub(super) fn new(guarantee: Guarantee, status: GuaranteeStatus, evidence: impl Into<String>) -> Self {
        Self { guarantee, status, required: guarantee.is_required(), evidence: evidence.into(), advice: None }
    }

    pub(super) fn given(guarantee: Guarantee, evidence: impl Into<String>) -> Self {
        Self::new(guarantee, GuaranteeStatus::Given, evidence)
    }

    pub(super) fn missing(guarantee: Guarantee, evidence: impl Into<String>) -> Self {
        Self::new(guarantee, GuaranteeStatus::Missing, evidence)
    }

    pub(super) fn unknown(guarantee: Guarantee, evidence: impl Into<String>) -> Self {
        Self::new(guarantee, GuaranteeStatus::Unknown, evidence)
    }

    /// What could not be done: the machine does not have it or does not let this process, or it
    /// went wrong for a reason that says nothing.
    pub(super) fn failed(guarantee: Guarantee, doing: &str, error: &io::Error) -> Self {
        let state = match Errno::from_io_error(error) {
            Some(
                Errno::NOSYS
                | Errno::PERM
                | Errno::ACCESS
                | Errno::INVAL
                | Errno::OPNOTSUPP
                | Errno::NOPROTOOPT
                | Errno::ROFS,
            ) => GuaranteeStatus::Missing,
            _ => GuaranteeStatus::Unknown,
        };
        Self::new(guarantee, state, format!("{doing}: {error}"))
    }

    /// Adds what can be done, where there is something to be done.
    pub(super) fn advise(mut self, advice: &'static str) -> Self {
        if self.status != GuaranteeStatus::Given {
            self.advice = Some(advice);
        }
        self
    }
}

/// Whether a machine gives everything that is required of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suitability {
    /// It does.
    Sufficient,
    /// At least one of the required guarantees is missing, or there only in part.
    Insufficient,
    /// None is known to be missing, and for at least one nobody can tell.
    Unknown,
}

/// What was found out about a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    assessments: Vec<Assessment>,
}

impl Report {
    /// In the order of the guarantees.
    pub(super) fn new(mut assessments: Vec<Assessment>) -> Self {
        assessments.sort_by_key(|assessment| assessment.guarantee);
        Self { assessments }
    }

    /// One assessment for each guarantee that was looked at, in the order of [`Guarantee::ALL`].
    pub fn assessments(&self) -> &[Assessment] {
        &self.assessments
    }

    /// Whether everything that is required is given.
    pub fn suitability(&self) -> Suitability {
        let required = || self.assessments.iter().filter(|assessment| assessment.required);
        if required().any(|assessment| matches!(assessment.status, GuaranteeStatus::Missing | GuaranteeStatus::Partly))
        {
            Suitability::Insufficient
        } else if required().any(|assessment| assessment.status == GuaranteeStatus::Unknown) {
            Suitability::Unknown
        } else {
            Suitability::Sufficient
        }
    }
}
