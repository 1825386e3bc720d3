//! The plugins that `lock add` and `lock update` examine, and the statements about them. Changes no
//! lock file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis::authoring::{Candidate, CandidateBuilder};
use portcullis::verify::{Checksums, Platform, PluginName, Version};

use super::outcome::NotWritten;
use crate::trust::KeyArgument;

const STATEMENTS: &str = "Statements about the plugin (a manifest that contradicts one is refused)";

const SOURCES: &str = "Trust sources (every one given must accept the plugin)";

/// The statements and trust sources about plugins that are to be locked.
#[derive(Debug, clap::Args)]
pub(super) struct CandidateOptions {
    /// Name of the plugin, instead of the one in its manifest or its file name
    #[arg(long = "as", help_heading = STATEMENTS, value_name = "NAME")]
    known_as: Option<PluginName>,

    /// Platform of the plugin, such as linux-aarch64, or any [default: the manifest's, or this
    /// machine's]
    #[arg(long, help_heading = STATEMENTS, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// Version of the plugin: MAJOR.MINOR.PATCH
    #[arg(long, help_heading = STATEMENTS, value_name = "VERSION")]
    version: Option<Version>,

    /// Note for reviewers: one line
    #[arg(long, help_heading = STATEMENTS, value_name = "TEXT")]
    note: Option<String>,

    /// minisign public key, or a file with one; its owner must have signed the manifest. May be
    /// repeated
    #[arg(long, help_heading = SOURCES, value_name = "KEY")]
    key: Vec<KeyArgument>,

    /// Signed manifest, instead of the one beside the file or in the directory
    #[arg(long, help_heading = SOURCES, value_name = "MANIFEST", requires = "key")]
    manifest: Option<PathBuf>,

    /// Checksum list in the format of sha256sum; must list the file
    #[arg(long, help_heading = SOURCES, value_name = "SUMS")]
    sums: Option<PathBuf>,

    /// Examine a copy in a new directory below DIR, instead of in sealed memory
    #[arg(long, value_name = "DIR")]
    private_copy: Option<PathBuf>,
}

impl CandidateOptions {
    /// Examines each file, in order.
    pub(super) fn examine(&self, files: &[PathBuf]) -> Result<Vec<Candidate>, NotWritten> {
        let checksums = self.sums.as_ref().map(Checksums::read).transpose()?.map(Arc::new);
        let keys = self.key.iter().map(KeyArgument::read).collect::<Result<Vec<_>, _>>()?;
        let examine = |file: &PathBuf| {
            let mut candidate = self.candidate(file);
            if let Some(checksums) = &checksums {
                candidate = candidate.with_checksums(checksums.clone());
            }
            Ok(keys.iter().copied().fold(candidate, CandidateBuilder::trust).examine()?)
        };
        files.iter().map(examine).collect()
    }

    fn candidate(&self, file: &Path) -> CandidateBuilder {
        let mut candidate = Candidate::builder(file);
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
