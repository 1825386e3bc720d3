//! The proof that a plugin may run. It holds the bytes that will run. Only the examination in this
//! folder makes one.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Attestation;
use crate::verify::bytes::bundle::Bundle;
use crate::verify::bytes::image::ProgramImage;
use crate::verify::{Digest, ExecMode, Subject};

/// A plugin that a [`Policy`](super::Policy) allows, together with its bytes: the bytes that were
/// hashed are the bytes that will run.
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
    /// Keeps the files of a directory plugin on disk while the plugin runs.
    pub(super) bundle: Option<Arc<Bundle>>,
}

impl VerifiedPlugin {
    /// The digest of the program that will run. For a plugin that an interpreter runs, this is the
    /// interpreter's.
    pub fn digest(&self) -> Digest {
        self.image.digest
    }

    /// The digest that identifies the whole plugin: of its one file, or of the manifest that names
    /// all its files.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// The sources that accept it: at least one, and each one that the policy requires.
    pub fn attestations(&self) -> &[Attestation] {
        &self.attestations
    }

    /// How the program is protected against changes between verification and launch.
    pub fn mode(&self) -> ExecMode {
        self.image.mode
    }

    /// The size of the program in bytes.
    pub fn size(&self) -> u64 {
        self.image.size
    }

    /// The path that was given to [`Policy::verify`](super::Policy::verify). For messages: it is
    /// not opened again.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The plugin directory of the policy, if it has one. A relative [`path`](Self::path) is then
    /// relative to this directory.
    pub fn directory(&self) -> Option<&Path> {
        self.directory.as_deref()
    }

    /// For a plugin that is a directory: the private directory with its verified files. Only this
    /// process's user may enter it. It is removed when the last process that was launched from it
    /// has ended and the last clone of this value is dropped.
    pub fn bundle(&self) -> Option<&Path> {
        self.bundle.as_deref().map(Bundle::path)
    }

    /// Whether the image came from the cache, so that the program was not read and hashed again.
    pub fn was_cached(&self) -> bool {
        self.cached
    }

    /// The default `argv[0]` of the program.
    pub(crate) fn name(&self) -> &OsStr {
        &self.name
    }

    /// The first arguments of the program: for an interpreter its own, then the path of the
    /// plugin's program.
    pub(crate) fn arguments(&self) -> &[OsString] {
        &self.arguments
    }
}
