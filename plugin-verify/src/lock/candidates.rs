//! What is offered for agreement: the arguments that `add` and `update` have in common. Judges
//! nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis::authoring::{Candidate, Offer};
use portcullis::verify::{Checksums, Platform, PluginName, Version};

use super::outcome::NotWritten;
use crate::trust::KeyArgument;

const HEADING: &str = "What is said of it (a manifest that says something else is refused)";

const VOUCHED: &str = "Who must vouch for it";

#[derive(Debug, clap::Args)]
pub(super) struct CandidateOptions {
    /// The name of the plugin, instead of the one in its manifest or its file name
    #[arg(long = "as", help_heading = HEADING, value_name = "NAME")]
    known_as: Option<PluginName>,

    /// The platform that it is for, such as linux-aarch64, or any; this machine's, unless its
    /// manifest says another
    #[arg(long, help_heading = HEADING, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// Its version, of three numbers
    #[arg(long, help_heading = HEADING, value_name = "VERSION")]
    version: Option<Version>,

    /// What a reviewer should know: one line
    #[arg(long, help_heading = HEADING, value_name = "TEXT")]
    note: Option<String>,

    /// A public key of minisign, or a file with one, whose owner must have signed its manifest; may
    /// be named several times
    #[arg(long, help_heading = VOUCHED, value_name = "KEY")]
    key: Vec<KeyArgument>,

    /// The signed manifest, instead of the one that lies beside the file or in the directory
    #[arg(long, help_heading = VOUCHED, value_name = "MANIFEST", requires = "key")]
    manifest: Option<PathBuf>,

    /// A list of SHA-256, as sha256sum writes it, which must name the file
    #[arg(long, help_heading = VOUCHED, value_name = "SUMS")]
    sums: Option<PathBuf>,

    /// Look at it in a private directory below DIR, not in sealed memory
    #[arg(long, value_name = "DIR")]
    private_copy: Option<PathBuf>,
}

impl CandidateOptions {
    /// What each file amounts to, in their order.
    pub(super) fn examine(&self, files: &[PathBuf]) -> Result<Vec<Offer>, NotWritten> {
        let checksums = self.sums.as_ref().map(Checksums::read).transpose()?.map(Arc::new);
        let keys = self.key.iter().map(KeyArgument::read).collect::<Result<Vec<_>, _>>()?;
        let examine = |file: &PathBuf| {
            let mut candidate = self.candidate(file);
            if let Some(checksums) = &checksums {
                candidate = candidate.with_checksums(checksums.clone());
            }
            Ok(keys.iter().copied().fold(candidate, Candidate::trust).examine()?)
        };
        files.iter().map(examine).collect()
    }

    fn candidate(&self, file: &Path) -> Candidate {
        let mut candidate = Candidate::new(file);
        if let Some(name) = &self.known_as {
            candidate = candidate.with_name(name.clone());
        }
        if let Some(platform) = &self.platform {
            candidate = candidate.with_platform(platform.clone());
        }
        if let Some(version) = &self.version {
            candidate = candidate.with_version(version.clone());
        }
        if let Some(note) = &self.note {
            candidate = candidate.with_note(note);
        }
        if let Some(manifest) = &self.manifest {
            candidate = candidate.with_manifest(manifest);
        }
        match &self.private_copy {
            Some(parent) => candidate.with_private_copy(parent),
            None => candidate,
        }
    }
}
