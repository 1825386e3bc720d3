//! The proof that a plugin may run, which holds what will run. Made by the examination in this
//! folder and nowhere else.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Attestation;
use crate::verify::bytes::bundle::Bundle;
use crate::verify::bytes::image::ProgramImage;
use crate::verify::{Digest, ExecMode, Subject};

/// A plugin whose bytes a [`Policy`](super::Policy) allows, together with those bytes: what was
/// hashed is what will run.
///
/// Only [`Policy::verify`](super::Policy::verify) and [`Policy::decide`](super::Policy::decide)
/// make one:
///
/// ```compile_fail
/// use portcullis::verify::VerifiedPlugin;
/// let forged = VerifiedPlugin { path: "/bin/sh".into() };
/// ```
///
/// A clone is the same proof over the same bytes, for another launch.
#[derive(Debug, Clone)]
pub struct VerifiedPlugin {
    pub(crate) image: Arc<ProgramImage>,
    pub(super) path: PathBuf,
    pub(super) directory: Option<PathBuf>,
    pub(super) name: OsString,
    pub(super) arguments: Vec<OsString>,
    pub(super) subject: Subject,
    pub(super) attestations: Vec<Attestation>,
    pub(super) cached: bool,
    /// Held for as long as the plugin runs.
    pub(super) bundle: Option<Arc<Bundle>>,
}

impl VerifiedPlugin {
    /// The digest of the program that will run: for a plugin that an interpreter runs, the
    /// interpreter's.
    pub fn digest(&self) -> Digest {
        self.image.digest
    }

    /// The digest that stands for the whole plugin: of its one file, or of the manifest that names
    /// all of them.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Who says that it may run: at least one, and every one that the policy requires.
    pub fn attestations(&self) -> &[Attestation] {
        &self.attestations
    }

    /// How the program is kept unchanged until then.
    pub fn mode(&self) -> ExecMode {
        self.image.mode
    }

    /// The size of the program in bytes.
    pub fn size(&self) -> u64 {
        self.image.size
    }

    /// The plugin as it was named to [`Policy::verify`](super::Policy::verify). For people: it is
    /// not opened again.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The plugin directory beneath which it was found, if the policy takes plugins from one only:
    /// that is where a relative [`path`](Self::path) begins then.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// Where the files of a plugin that is a directory lie, verified and for this process's user
    /// alone; gone when the last process that was launched from it has ended and the last clone of
    /// this value is dropped.
    pub fn bundle(&self) -> Option<&Path> {
        self.bundle.as_deref().map(Bundle::path)
    }

    /// Whether the image was in the cache, so that the program was neither read nor hashed this
    /// time.
    pub fn was_cached(&self) -> bool {
        self.cached
    }

    /// What the program sees as its own name (`argv[0]`) unless another is chosen.
    pub(crate) fn name(&self) -> &OsStr {
        &self.name
    }

    /// The program's first arguments: for an interpreter its own, and the plugin's program.
    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }
}
