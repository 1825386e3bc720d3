//! Which guarantees can this machine give? Looks, tries what leaves no trace, and says what it
//! found; changes nothing and starts nothing.
//!
//! ```no_run
//! use portcullis::machine::{Guarantee, Machine};
//!
//! let report = Machine::new().require(Guarantee::PeerIdentity).assess();
//! for assessment in report.assessments() {
//!     println!("{} {}: {}", assessment.status, assessment.guarantee, assessment.evidence);
//! }
//! ```
#![forbid(unsafe_code)]

mod confinement;
mod directory;
mod guarantee;
mod kernel;
mod procfs;
mod report;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use guarantee::{Guarantee, UnknownGuarantee};
pub use report::{Assessment, GuaranteeStatus, Report, Suitability};

/// This machine as this process sees it, in its namespaces and with its rights, and what is to be
/// looked at.
#[derive(Debug, Clone)]
#[must_use = "nothing is looked at before `assess`"]
pub struct Machine {
    runtime_directory: PathBuf,
    plugin_directory: Option<PathBuf>,
    required: BTreeSet<Guarantee>,
}

impl Machine {
    /// The machine, with the system's directory for temporary files, and nothing required but what
    /// a launch needs by default.
    pub fn new() -> Self {
        Self { runtime_directory: std::env::temp_dir(), plugin_directory: None, required: BTreeSet::new() }
    }

    /// Where hosts make the private directories of launches, instead of the system's directory for
    /// temporary files.
    pub fn with_runtime_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.runtime_directory = directory.into();
        self
    }

    /// A directory with plugins in it: whether they may run from there, and who else may write
    /// there.
    pub fn with_plugin_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.plugin_directory = Some(directory.into());
        self
    }

    /// Requires a guarantee that is optional otherwise.
    pub fn require(mut self, guarantee: Guarantee) -> Self {
        self.required.insert(guarantee);
        self
    }

    /// Looks at everything, one guarantee after the other.
    ///
    /// Blocks for as long as the file systems of the named directories do. What could not be found
    /// out is a assessment too ([`GuaranteeStatus::Unknown`]), never an error.
    pub fn assess(&self) -> Report {
        let runtime = &self.runtime_directory;
        let mut assessments = Vec::new();
        assessments.extend(kernel::assessments());
        assessments.extend(directory::of_launches(runtime));
        assessments.extend(confinement::assessments());
        assessments.extend(self.plugin_directory.as_deref().map(directory::of_plugins).into_iter().flatten());
        assessments.extend(self.missed(&assessments));
        for assessment in &mut assessments {
            assessment.required |= self.required.contains(&assessment.guarantee);
        }
        Report::new(assessments)
    }

    /// What is required and was not looked at, because nothing to look at was named.
    fn missed(&self, assessments: &[Assessment]) -> Vec<Assessment> {
        let looked_at = |guarantee: &Guarantee| assessments.iter().any(|assessment| assessment.guarantee == *guarantee);
        let missed = self.required.iter().filter(|guarantee| !looked_at(guarantee));
        missed.map(|guarantee| Assessment::unknown(*guarantee, "no directory with plugins was named")).collect()
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows a path in the evidence of a assessment.
fn shown(path: &Path) -> crate::Escaped<'_> {
    crate::Escaped::path(path)
}

#[cfg(test)]
mod tests;
