//! Which guarantees can this machine give? Looks, tries what leaves no trace, and says what it
//! found; changes nothing and starts nothing.
//!
//! ```no_run
//! use portcullis::machine::{Guarantee, Machine};
//!
//! let report = Machine::new().require(Guarantee::PeerIdentity).examine();
//! for finding in report.findings() {
//!     println!("{} {}: {}", finding.state, finding.guarantee, finding.evidence);
//! }
//! ```
#![forbid(unsafe_code)]

mod confinement;
mod directory;
mod guarantee;
mod kernel;
mod report;
mod setting;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use guarantee::{Guarantee, UnknownGuarantee};
pub use report::{Finding, Report, State, Verdict};

/// This machine as this process sees it, in its namespaces and with its rights, and what is to be
/// looked at.
#[derive(Debug, Clone)]
#[must_use = "nothing is looked at before `examine`"]
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
    /// out is a finding too ([`State::Unknown`]), never an error.
    pub fn examine(&self) -> Report {
        let runtime = &self.runtime_directory;
        let mut findings = Vec::new();
        findings.extend(kernel::findings());
        findings.extend(directory::of_launches(runtime));
        findings.extend(confinement::findings());
        findings.extend(self.plugin_directory.as_deref().map(directory::of_plugins).into_iter().flatten());
        findings.extend(self.missed(&findings));
        for finding in &mut findings {
            finding.required |= self.required.contains(&finding.guarantee);
        }
        Report::new(findings)
    }

    /// What is required and was not looked at, because nothing to look at was named.
    fn missed(&self, findings: &[Finding]) -> Vec<Finding> {
        let looked_at = |guarantee: &Guarantee| findings.iter().any(|finding| finding.guarantee == *guarantee);
        let missed = self.required.iter().filter(|guarantee| !looked_at(guarantee));
        missed.map(|guarantee| Finding::unknown(*guarantee, "no directory with plugins was named")).collect()
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows a path in the evidence of a finding.
fn shown(path: &Path) -> crate::Escaped<'_> {
    crate::Escaped::path(path)
}

#[cfg(test)]
mod tests;
