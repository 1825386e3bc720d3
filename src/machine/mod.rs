//! Assesses which guarantees this machine gives. Reads settings of the kernel and tries system
//! calls that leave no trace; changes nothing, and starts nothing.
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

/// This machine as this process sees it, in its namespaces and with its rights, and the directories
/// to check.
#[derive(Debug, Clone)]
#[must_use = "`assess` checks the machine"]
pub struct Machine {
    runtime_directory: PathBuf,
    plugin_directory: Option<PathBuf>,
    required: BTreeSet<Guarantee>,
}

impl Machine {
    /// The machine with the system's directory for temporary files. Required are the guarantees
    /// that a launch needs by default.
    pub fn new() -> Self {
        Self { runtime_directory: std::env::temp_dir(), plugin_directory: None, required: BTreeSet::new() }
    }

    /// Sets the directory in which hosts create the private directories of launches. The default is
    /// the system's directory for temporary files.
    pub fn with_runtime_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.runtime_directory = directory.into();
        self
    }

    /// Also checks a plugin directory: whether programs can run from there, and whether other users
    /// can write to it.
    pub fn with_plugin_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.plugin_directory = Some(directory.into());
        self
    }

    /// Requires a guarantee that is optional by default.
    pub fn require(mut self, guarantee: Guarantee) -> Self {
        self.required.insert(guarantee);
        self
    }

    /// Checks one guarantee after the other.
    ///
    /// Blocks while the file systems of the directories block. A failed check is reported as an
    /// assessment ([`GuaranteeStatus::Unknown`]), never as an error.
    pub fn assess(&self) -> Report {
        let runtime = &self.runtime_directory;
        let mut assessments = Vec::new();
        assessments.extend(kernel::assess());
        assessments.extend(directory::of_launches(runtime));
        assessments.extend(confinement::assess());
        assessments.extend(self.plugin_directory.as_deref().map(directory::of_plugins).into_iter().flatten());
        assessments.extend(self.unchecked(&assessments));
        for assessment in &mut assessments {
            assessment.required |= self.required.contains(&assessment.guarantee);
        }
        Report::new(assessments)
    }

    /// The guarantees that are required and were not checked, because no plugin directory was
    /// given.
    fn unchecked(&self, assessments: &[Assessment]) -> Vec<Assessment> {
        let checked = |guarantee: &Guarantee| assessments.iter().any(|assessment| assessment.guarantee == *guarantee);
        let unchecked = self.required.iter().filter(|guarantee| !checked(guarantee));
        unchecked.map(|guarantee| Assessment::unknown(*guarantee, "no plugin directory was given")).collect()
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows a path in evidence.
fn shown(path: &Path) -> crate::Escaped<'_> {
    crate::Escaped::path(path)
}

#[cfg(test)]
mod tests;
