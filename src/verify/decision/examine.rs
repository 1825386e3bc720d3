//! The examination of one plugin, step by step: its location, the attestations of its sources, and
//! the digest of its bytes. Only this file and `bundled.rs` make a [`VerifiedPlugin`].

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::attestation::{Attestations, FoundManifest};
use super::{Attestation, Finding, ImageStorage, Policy, VerifiedPlugin};
use crate::verify::Refusal;
use crate::verify::bytes::image::ProgramImage;
use crate::verify::bytes::linkage::linkage;
use crate::verify::bytes::plugin_file::PluginFile;
use crate::verify::bytes::tree::{DirectoryTree, TreeEntry};
use crate::verify::decision::error::ExamineError;
use crate::verify::sources::document::Document;
use crate::verify::{Digest, Manifest, Platform, PluginName, Signature, SignedManifest, Subject};

/// The plugin to examine.
pub(super) struct Request<'a> {
    pub(super) path: &'a Path,
    pub(super) platform: Platform,
    pub(super) is_directory: bool,
    /// Whether the policy trusts a key to sign manifests for it.
    pub(super) wants_manifest: bool,
    name: Option<PluginName>,
}

impl Request<'_> {
    pub(super) fn name(&self) -> Result<&PluginName, ExamineError> {
        self.name.as_ref().ok_or_else(|| Refusal::Unnamed.into())
    }

    pub(super) fn known_name(&self) -> Option<&PluginName> {
        self.name.as_ref()
    }

    pub(super) fn manifest_path(&self) -> PathBuf {
        Manifest::belonging_to(self.path, self.is_directory)
    }

    /// The digest that identifies the plugin according to `manifest`.
    pub(super) fn subject_of(&self, manifest: &Manifest) -> Result<Digest, ExamineError> {
        if self.is_directory {
            return Ok(manifest.digest());
        }
        match manifest.program_file() {
            Some(file) if manifest.is_single_file() => Ok(file.digest),
            _ => Err(Refusal::ManifestOfDirectory.into()),
        }
    }
}

/// The plugin on disk.
enum Location {
    /// A file that is not opened yet: with a cached image it need not exist.
    Anywhere,
    File(File),
    Directory(DirectoryTree),
}

/// One examination, with its findings so far.
pub(super) struct Examination<'a> {
    pub(super) policy: &'a Policy,
    pub(super) request: Request<'a>,
    /// The plugin directory, and the plugin's path in it.
    beneath: Option<(DirectoryTree, PathBuf)>,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Examination<'a> {
    pub(super) fn new(policy: &'a Policy, name: Option<PluginName>, path: &'a Path) -> Self {
        let name = name.or_else(|| path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse().ok()));
        let platform = Platform::current();
        let request =
            Request { path, platform, is_directory: false, wants_manifest: policy.wants_manifest(&name), name };
        Self { policy, request, beneath: None, findings: Vec::new() }
    }

    pub(super) fn run(&mut self) -> Result<VerifiedPlugin, ExamineError> {
        if self.policy.has_no_source() {
            return Err(Refusal::NothingAllowed.into());
        }
        let location = self.locate()?;
        let manifest = self.manifest(&location)?;
        if let Some(found) = &manifest {
            found.manifest.check(self.request.name()?, &self.request.platform, SystemTime::now())?;
        }
        let collected = Attestations::collect(self.policy, &self.request, manifest.as_ref())?;
        let agreed = collected.agreed()?;
        match (location, manifest) {
            (Location::Directory(tree), Some(found)) => self.directory(&tree, &found.manifest, &collected, agreed),
            (Location::Directory(_), None) => {
                self.findings.extend(collected.missing.into_iter().map(Finding::Missing));
                Err(Refusal::NotRegular { kind: "a directory" }.into())
            }
            (Location::File(file), _) => self.file(Some(file), &collected, agreed),
            (Location::Anywhere, _) => self.file(None, &collected, agreed),
        }
    }

    fn locate(&mut self) -> Result<Location, ExamineError> {
        let Some(directory) = &self.policy.directory else {
            // Only the kind of file is read here, and a wrong answer is harmless: the file is
            // opened and checked later, or its image comes from the cache.
            if !std::fs::metadata(self.request.path).is_ok_and(|status| status.is_dir()) {
                return Ok(Location::Anywhere);
            }
            self.request.is_directory = true;
            return Ok(Location::Directory(DirectoryTree::open_anywhere(self.request.path)?));
        };
        let tree = DirectoryTree::open(directory, &self.policy.owners)?;
        let relative = tree.beneath(self.request.path)?.to_path_buf();
        let found = tree.find(&relative)?;
        self.beneath = Some((tree, relative));
        self.findings.push(Finding::Location { directory: directory.clone() });
        Ok(match found {
            TreeEntry::File(file) => Location::File(file),
            TreeEntry::Directory(tree) => {
                self.request.is_directory = true;
                Location::Directory(tree)
            }
        })
    }

    /// The manifest of the plugin, if it has one and the policy could accept the plugin by it.
    fn manifest(&self, location: &Location) -> Result<Option<FoundManifest>, ExamineError> {
        if let Some(given) = self.request.known_name().and_then(|name| self.policy.manifests.get(name)) {
            self.refuse_denied(given.manifest().digest())?;
            return Ok(Some(given.clone().into()));
        }
        let pinned = self.policy.pinned_manifest(&self.request);
        if !self.request.wants_manifest && pinned.is_none() && !self.request.is_directory {
            return Ok(None);
        }
        let path = self.request.manifest_path();
        let Some(document) = self.document(location, &path, Manifest::LIMIT)? else { return Ok(None) };
        let digest = Digest::of(document.bytes());
        self.refuse_denied(digest)?;
        if let Some(expected) = pinned.filter(|pinned| *pinned != digest) {
            return Err(Refusal::ManifestMismatch { expected, actual: digest }.into());
        }
        // A manifest that is pinned by its digest needs no signature, but an existing signature is
        // still checked. An allowed digest identifies the whole plugin: for a plugin that is one
        // file it is the digest of that file, never of its manifest.
        let is_pinned = pinned.is_some() || (self.request.is_directory && self.policy.allowed.contains(&digest));
        let signature = SignedManifest::beside(&path);
        match self.document(location, &signature, Signature::LIMIT)? {
            Some(signature) if self.request.wants_manifest => {
                let keys = self.policy.keys_for(self.request.name()?);
                let signature = Signature::parse(&signature)?;
                Ok(Some(SignedManifest::verify(&document, &signature, &keys)?.into()))
            }
            _ if is_pinned => Ok(Some(FoundManifest { manifest: Manifest::parse(&document)?, key: None })),
            None if self.request.wants_manifest => Err(Refusal::Unsigned { signature }.into()),
            _ => Ok(None),
        }
    }

    /// Reads a document that belongs to the plugin, in the plugin's own directory. `None` if it
    /// does not exist.
    fn document(&self, location: &Location, path: &Path, limit: u64) -> Result<Option<Document>, ExamineError> {
        let name = path.file_name().unwrap_or_default();
        let file = match (location, &self.beneath) {
            (Location::Directory(tree), _) if tree.lacks(name)? => return Ok(None),
            (Location::Directory(tree), _) => tree.file(Path::new(name)).map_err(|error| error.of_document(path))?,
            (_, Some((tree, relative))) => {
                let above = tree.subtree(relative.parent().unwrap_or(Path::new("")))?;
                if above.lacks(name)? {
                    return Ok(None);
                }
                above.file(Path::new(name)).map_err(|error| error.of_document(path))?
            }
            (_, None) => {
                return match path.symlink_metadata() {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    _ => Ok(Some(Document::read(path, limit)?)),
                };
            }
        };
        Ok(Some(Document::read_open(file, path, limit)?))
    }

    fn file(
        &mut self,
        file: Option<File>,
        collected: &Attestations,
        agreed: Option<Digest>,
    ) -> Result<VerifiedPlugin, ExamineError> {
        let candidates: Vec<Digest> = match agreed {
            Some(digest) => vec![digest],
            None => self.policy.allowed.iter().copied().collect(),
        };
        if candidates.is_empty() {
            self.findings.extend(collected.missing.iter().cloned().map(Finding::Missing));
            return Err(Refusal::NotAttested { missing: collected.missing.clone() }.into());
        }
        let (image, cached) = self.program(file, &candidates)?;
        let attestations = self.accepted(collected, image.digest)?;
        self.note(&image, cached)?;
        Ok(VerifiedPlugin {
            path: self.request.path.to_path_buf(),
            directory: self.policy.directory.clone(),
            name: self.request.path.into(),
            arguments: Vec::new(),
            subject: Subject::File(image.digest),
            image,
            attestations,
            cached,
            bundle: None,
        })
    }

    /// The image with one of these digests. The cache can answer only if there is exactly one.
    fn program(&self, file: Option<File>, candidates: &[Digest]) -> Result<(Arc<ProgramImage>, bool), ExamineError> {
        match candidates {
            [digest] => self.cached_or_read(*digest, || self.read(file, candidates)),
            _ => Ok((self.read(file, candidates)?, false)),
        }
    }

    /// The image with this digest from the cache, or else from `read`; and whether it was cached.
    pub(super) fn cached_or_read(
        &self,
        digest: Digest,
        read: impl FnOnce() -> Result<Arc<ProgramImage>, ExamineError>,
    ) -> Result<(Arc<ProgramImage>, bool), ExamineError> {
        self.refuse_denied(digest)?;
        let (image, cached) = match self.policy.storage {
            ImageStorage::Memory => self.policy.cache.find_or(digest, read)?,
            _ => (read()?, false),
        };
        // The cache may be shared with a policy that has a higher limit.
        match self.policy.size_limit() {
            limit if image.size > limit => Err(Refusal::TooLarge { limit }.into()),
            _ => Ok((image, cached)),
        }
    }

    fn read(&self, file: Option<File>, candidates: &[Digest]) -> Result<Arc<ProgramImage>, ExamineError> {
        let limit = self.policy.size_limit();
        let source = match file {
            Some(file) => PluginFile::of(file, limit)?,
            None => PluginFile::open(self.request.path, limit)?,
        };
        let image = self.image(source, self.request.path)?;
        self.refuse_denied(image.digest)?;
        if !candidates.contains(&image.digest) {
            return Err(Refusal::DigestMismatch { expected: candidates.to_vec(), actual: image.digest }.into());
        }
        image.check_format()?;
        Ok(Arc::new(image))
    }

    pub(super) fn image(&self, source: PluginFile, path: &Path) -> Result<ProgramImage, ExamineError> {
        match &self.policy.storage {
            ImageStorage::Memory => ProgramImage::sealed(&source, path),
            ImageStorage::Directory(parent) => ProgramImage::private_copy(&source, path, parent),
            ImageStorage::InPlace => ProgramImage::pinned(source),
        }
    }

    pub(super) fn accepted(
        &mut self,
        collected: &Attestations,
        subject: Digest,
    ) -> Result<Vec<Attestation>, ExamineError> {
        self.findings.extend(collected.missing.iter().cloned().map(Finding::Missing));
        let attestations = collected.attestations(self.policy, subject)?;
        self.findings.extend(attestations.iter().cloned().map(Finding::Attested));
        if !self.policy.denied.is_empty() {
            self.findings.push(Finding::NotDenied { entries: self.policy.denied.len() });
        }
        Ok(attestations)
    }

    /// Records the image that will run and checks its linkage. A cached image is checked too: a
    /// policy with another rule may have put it into the cache.
    pub(super) fn note(&mut self, image: &ProgramImage, cached: bool) -> Result<(), ExamineError> {
        self.findings.push(Finding::Image { digest: image.digest, mode: image.mode, cached });
        if !self.policy.linkage.is_empty() {
            self.policy.linkage.check(&linkage(&image.file)?).map_err(Refusal::Linkage)?;
            self.findings.push(Finding::Linkage);
        }
        Ok(())
    }

    pub(super) fn refuse_denied(&self, digest: Digest) -> Result<(), ExamineError> {
        match self.policy.denied.contains(&digest) {
            true => Err(Refusal::Denied { digest }.into()),
            false => Ok(()),
        }
    }
}
