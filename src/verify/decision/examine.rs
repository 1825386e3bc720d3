//! The examination of one plugin, step by step: where it lies, who vouches for it, and whether its
//! bytes are the ones that are meant. Together with `bundled.rs` the only place where a
//! [`VerifiedPlugin`] is made.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::testimony::{FoundManifest, Testimony};
use super::{Finding, Place, Policy, VerifiedPlugin, Voucher};
use crate::verify::Refusal;
use crate::verify::bytes::image::Image;
use crate::verify::bytes::linkage::linkage;
use crate::verify::bytes::source::Source;
use crate::verify::bytes::tree::{Found, Tree};
use crate::verify::decision::error::Obstacle;
use crate::verify::sources::document::Document;
use crate::verify::{Digest, Manifest, Platform, PluginName, Signature, SignedManifest, Subject};

/// The plugin that is asked about.
pub(super) struct Asked<'a> {
    pub(super) path: &'a Path,
    pub(super) platform: Platform,
    pub(super) is_directory: bool,
    /// Whether somebody is trusted to sign manifests for it.
    pub(super) wants_manifest: bool,
    name: Option<PluginName>,
}

impl Asked<'_> {
    pub(super) fn name(&self) -> Result<&PluginName, Obstacle> {
        self.name.as_ref().ok_or_else(|| Refusal::Unnamed.into())
    }

    pub(super) fn known_name(&self) -> Option<&PluginName> {
        self.name.as_ref()
    }

    pub(super) fn manifest_path(&self) -> PathBuf {
        Manifest::belonging_to(self.path, self.is_directory)
    }

    /// The digest that stands for the plugin, if `manifest` is right.
    pub(super) fn subject_of(&self, manifest: &Manifest) -> Result<Digest, Obstacle> {
        if self.is_directory {
            return Ok(manifest.digest());
        }
        match manifest.program_file() {
            Some(file) if manifest.is_single_file() => Ok(file.digest),
            _ => Err(Refusal::ManifestOfDirectory.into()),
        }
    }
}

/// Where a plugin was found.
enum Location {
    /// Not looked for yet: it may lie anywhere, and a cached image needs nothing on disk.
    Anywhere,
    File(File),
    Directory(Tree),
}

/// One examination, and what it has found so far.
pub(super) struct Examination<'a> {
    pub(super) policy: &'a Policy,
    pub(super) asked: Asked<'a>,
    /// The plugin directory, and the plugin's path in it.
    beneath: Option<(Tree, PathBuf)>,
    pub(super) findings: Vec<Finding>,
}

impl<'a> Examination<'a> {
    pub(super) fn new(policy: &'a Policy, name: Option<PluginName>, path: &'a Path) -> Self {
        let name = name.or_else(|| path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse().ok()));
        let platform = Platform::current();
        let asked = Asked { path, platform, is_directory: false, wants_manifest: policy.wants_manifest(&name), name };
        Self { policy, asked, beneath: None, findings: Vec::new() }
    }

    pub(super) fn run(&mut self) -> Result<VerifiedPlugin, Obstacle> {
        if self.policy.has_no_source() {
            return Err(Refusal::NothingAllowed.into());
        }
        let location = self.locate()?;
        let manifest = self.manifest(&location)?;
        if let Some(found) = &manifest {
            found.manifest.check(self.asked.name()?, &self.asked.platform, SystemTime::now())?;
        }
        let heard = Testimony::hear(self.policy, &self.asked, manifest.as_ref())?;
        let agreed = heard.agreed()?;
        match (location, manifest) {
            (Location::Directory(tree), Some(found)) => self.directory(&tree, &found.manifest, &heard, agreed),
            (Location::Directory(_), None) => {
                self.findings.extend(heard.silent.into_iter().map(Finding::Silent));
                Err(Refusal::NotRegular { kind: "a directory" }.into())
            }
            (Location::File(file), _) => self.file(Some(file), &heard, agreed),
            (Location::Anywhere, _) => self.file(None, &heard, agreed),
        }
    }

    fn locate(&mut self) -> Result<Location, Obstacle> {
        let Some(directory) = &self.policy.directory else {
            // Nothing but the kind is looked at, and nothing hangs on it: what is missing may be in
            // the cache.
            if !std::fs::metadata(self.asked.path).is_ok_and(|status| status.is_dir()) {
                return Ok(Location::Anywhere);
            }
            self.asked.is_directory = true;
            return Ok(Location::Directory(Tree::open_anywhere(self.asked.path)?));
        };
        let tree = Tree::open(directory, &self.policy.owners)?;
        let relative = tree.beneath(self.asked.path)?.to_path_buf();
        let found = tree.find(&relative)?;
        self.beneath = Some((tree, relative));
        self.findings.push(Finding::Place { directory: directory.clone() });
        Ok(match found {
            Found::File(file) => Location::File(file),
            Found::Directory(tree) => {
                self.asked.is_directory = true;
                Location::Directory(tree)
            }
        })
    }

    /// The manifest of the plugin, if there is one and anybody could vouch by it.
    fn manifest(&self, location: &Location) -> Result<Option<FoundManifest>, Obstacle> {
        if let Some(given) = self.asked.known_name().and_then(|name| self.policy.manifests.get(name)) {
            self.refuse_denied(given.manifest().digest())?;
            return Ok(Some(given.clone().into()));
        }
        let pinned = self.policy.pinned_manifest(&self.asked);
        if !self.asked.wants_manifest && pinned.is_none() && !self.asked.is_directory {
            return Ok(None);
        }
        let path = self.asked.manifest_path();
        let Some(document) = self.document(location, &path, Manifest::LIMIT)? else { return Ok(None) };
        let digest = Digest::of(document.bytes());
        self.refuse_denied(digest)?;
        if let Some(expected) = pinned.filter(|pinned| *pinned != digest) {
            return Err(Refusal::ManifestMismatch { expected, actual: digest }.into());
        }
        // What was agreed to byte for byte needs no signature; a signature that is there is looked
        // at all the same. An allowed digest is that of the whole plugin: of a plugin that is a
        // file it cannot be the manifest's.
        let is_pinned = pinned.is_some() || (self.asked.is_directory && self.policy.allowed.contains(&digest));
        let signature = SignedManifest::beside(&path);
        match self.document(location, &signature, Signature::LIMIT)? {
            Some(signature) if self.asked.wants_manifest => {
                let keys = self.policy.keys_for(self.asked.name()?);
                let signature = Signature::parse(&signature)?;
                Ok(Some(SignedManifest::verify(&document, &signature, &keys)?.into()))
            }
            _ if is_pinned => Ok(Some(FoundManifest { manifest: Manifest::parse(&document)?, key: None })),
            None if self.asked.wants_manifest => Err(Refusal::Unsigned { signature }.into()),
            _ => Ok(None),
        }
    }

    /// A document that belongs to the plugin, from where the plugin lies; `None` if nothing is
    /// there.
    fn document(&self, location: &Location, path: &Path, limit: u64) -> Result<Option<Document>, Obstacle> {
        let name = path.file_name().unwrap_or_default();
        let file = match (location, &self.beneath) {
            (Location::Directory(tree), _) if tree.lacks(name)? => return Ok(None),
            (Location::Directory(tree), _) => {
                tree.file(Path::new(name)).map_err(|obstacle| obstacle.of_document(path))?
            }
            (_, Some((tree, relative))) => {
                let above = tree.subtree(relative.parent().unwrap_or(Path::new("")))?;
                if above.lacks(name)? {
                    return Ok(None);
                }
                above.file(Path::new(name)).map_err(|obstacle| obstacle.of_document(path))?
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
        heard: &Testimony,
        agreed: Option<Digest>,
    ) -> Result<VerifiedPlugin, Obstacle> {
        let candidates: Vec<Digest> = match agreed {
            Some(digest) => vec![digest],
            None => self.policy.allowed.iter().copied().collect(),
        };
        if candidates.is_empty() {
            self.findings.extend(heard.silent.iter().cloned().map(Finding::Silent));
            return Err(Refusal::NotVouched { silent: heard.silent.clone() }.into());
        }
        let (image, cached) = self.program(file, &candidates)?;
        let vouchers = self.vouched(heard, image.digest)?;
        self.note(&image, cached)?;
        Ok(VerifiedPlugin {
            path: self.asked.path.to_path_buf(),
            directory: self.policy.directory.clone(),
            name: self.asked.path.into(),
            arguments: Vec::new(),
            subject: Subject::File(image.digest),
            image,
            vouchers,
            cached,
            bundle: None,
        })
    }

    /// The image with one of these digests: of the file, or from the cache where it is known
    /// beforehand which one is meant.
    fn program(&self, file: Option<File>, candidates: &[Digest]) -> Result<(Arc<Image>, bool), Obstacle> {
        match candidates {
            [digest] => self.kept(*digest, || self.read(file, candidates)),
            _ => Ok((self.read(file, candidates)?, false)),
        }
    }

    /// The image with this digest, and whether it was in the cache; otherwise what `read` makes of
    /// the file.
    pub(super) fn kept(
        &self,
        digest: Digest,
        read: impl FnOnce() -> Result<Arc<Image>, Obstacle>,
    ) -> Result<(Arc<Image>, bool), Obstacle> {
        self.refuse_denied(digest)?;
        let (image, cached) = match self.policy.place {
            Place::Memory => self.policy.cache.find_or(digest, read)?,
            _ => (read()?, false),
        };
        // A policy with a higher limit may have put it there.
        match self.policy.size_limit() {
            limit if image.size > limit => Err(Refusal::TooLarge { limit }.into()),
            _ => Ok((image, cached)),
        }
    }

    fn read(&self, file: Option<File>, candidates: &[Digest]) -> Result<Arc<Image>, Obstacle> {
        let limit = self.policy.size_limit();
        let source = match file {
            Some(file) => Source::of(file, limit)?,
            None => Source::open(self.asked.path, limit)?,
        };
        let image = self.image(source, self.asked.path)?;
        self.refuse_denied(image.digest)?;
        if !candidates.contains(&image.digest) {
            return Err(Refusal::DigestMismatch { expected: candidates.to_vec(), actual: image.digest }.into());
        }
        image.check_format()?;
        Ok(Arc::new(image))
    }

    pub(super) fn image(&self, source: Source, path: &Path) -> Result<Image, Obstacle> {
        match &self.policy.place {
            Place::Memory => Image::sealed(&source, path),
            Place::Directory(parent) => Image::private_copy(&source, path, parent),
            Place::WhereTheyLie => Image::pinned(source),
        }
    }

    pub(super) fn vouched(&mut self, heard: &Testimony, subject: Digest) -> Result<Vec<Voucher>, Obstacle> {
        self.findings.extend(heard.silent.iter().cloned().map(Finding::Silent));
        let vouchers = heard.vouchers(self.policy, subject)?;
        self.findings.extend(vouchers.iter().cloned().map(Finding::VouchedBy));
        if !self.policy.denied.is_empty() {
            self.findings.push(Finding::NotDenied { entries: self.policy.denied.len() });
        }
        Ok(vouchers)
    }

    /// Notes what will run, unless it is linked as it must not be. Asked of a cached image too:
    /// another policy may have put it there.
    pub(super) fn note(&mut self, image: &Image, cached: bool) -> Result<(), Obstacle> {
        self.findings.push(Finding::Image { digest: image.digest, mode: image.mode, cached });
        if !self.policy.linkage.is_empty() {
            self.policy.linkage.check(&linkage(&image.file)?).map_err(Refusal::Linkage)?;
            self.findings.push(Finding::Linkage);
        }
        Ok(())
    }

    pub(super) fn refuse_denied(&self, digest: Digest) -> Result<(), Obstacle> {
        match self.policy.denied.contains(&digest) {
            true => Err(Refusal::Denied { digest }.into()),
            false => Ok(()),
        }
    }
}
