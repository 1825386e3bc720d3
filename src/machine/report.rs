//! The result of assessing a machine: one assessment for each guarantee, and whether the required
//! ones are given. Checks nothing itself.

use std::fmt;
use std::io;

use rustix::io::Errno;

use super::Guarantee;

/// Whether a machine gives a guarantee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuaranteeStatus {
    /// It does.
    Given,
    /// It gives a part; the evidence says which.
    Partly,
    /// It does not.
    Missing,
    /// It could not be determined.
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

/// The status of one guarantee, with the evidence for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assessment {
    /// The guarantee.
    pub guarantee: Guarantee,
    /// Whether the machine gives it.
    pub status: GuaranteeStatus,
    /// Whether a launch needs it by default, or the caller required it.
    pub required: bool,
    /// The observations of the check. Foreign text in it is escaped.
    pub evidence: String,
    /// The remedy, unless the guarantee is given.
    pub advice: Option<&'static str>,
}

impl Assessment {
    pub(super) fn new(guarantee: Guarantee, status: GuaranteeStatus, evidence: impl Into<String>) -> Self {
        let advice = (status != GuaranteeStatus::Given).then(|| guarantee.remedy());
        Self { guarantee, status, required: guarantee.is_required(), evidence: evidence.into(), advice }
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

    /// For a check that failed: missing if the error means that the kernel lacks the feature or
    /// that this process may not use it, unknown otherwise.
    pub(super) fn failed(guarantee: Guarantee, operation: &str, error: &io::Error) -> Self {
        let status = match Errno::from_io_error(error) {
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
        Self::new(guarantee, status, format!("{operation}: {error}"))
    }
}

/// Whether a machine gives every required guarantee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suitability {
    /// It gives all of them.
    Sufficient,
    /// At least one is missing or given in part only.
    Insufficient,
    /// None is known to be missing, and at least one is unknown.
    Unknown,
}

/// The assessments of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    assessments: Vec<Assessment>,
}

impl Report {
    pub(super) fn new(mut assessments: Vec<Assessment>) -> Self {
        assessments.sort_by_key(|assessment| assessment.guarantee);
        Self { assessments }
    }

    /// One assessment for each guarantee that was checked, in the order of [`Guarantee::ALL`].
    pub fn assessments(&self) -> &[Assessment] {
        &self.assessments
    }

    /// Whether the machine gives every required guarantee.
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
