//! Something that lies on disk and may be agreed to: looked at as before a launch if it is for this
//! machine, and compared with what is said of it in any case. Writes nothing.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::OfferError;
use crate::authoring::Difference;
use crate::fs::{RegularFileError, Symlinks, open_regular};
use crate::verify::Refusal;
use crate::verify::bytes::format;
use crate::verify::decision::error::ExamineError;
use crate::verify::{
    Artifact, Checksums, Digest, Format, ImageCache, Manifest, Platform, PluginName, Policy, PublicKey, SignedManifest,
    SourceError, SourceKind, Subject, VerifyError, Version,
};

/// A file or directory that somebody wants to agree to, and what they say of it.
#[derive(Debug, Clone)]
pub struct Candidate {
    path: PathBuf,
    name: Option<PluginName>,
    platform: Option<Platform>,
    version: Option<Version>,
    note: Option<String>,
    checksums: Option<Arc<Checksums>>,
    keys: Vec<PublicKey>,
    manifest: Option<PathBuf>,
    copies: Option<PathBuf>,
}

/// Something that can be agreed to: it was looked at, and this is what is known of it. Only
/// [`Candidate::examine`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub(super) name: PluginName,
    pub(super) platform: Platform,
    pub(super) version: Option<Version>,
    pub(super) minimum_version: Option<Version>,
    pub(super) note: Option<String>,
    pub(super) subject: Subject,
    pub(super) vouched_by: Option<PublicKey>,
}

impl Offer {
    /// What the plugin is called.
    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// The machine that it is made for.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The bytes.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Whether it is made for this machine, and so was examined as before a launch.
    pub fn runs_here(&self) -> bool {
        self.platform.runs_on(&Platform::current())
    }

    pub(super) fn artifact(&self) -> Artifact {
        Artifact::new(self.subject, self.vouched_by)
    }
}

/// The manifest of a candidate, if it has one.
enum Found {
    Signed(SignedManifest),
    Unsigned(Manifest),
    Nothing,
}

impl Found {
    fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Signed(signed) => Some(signed.manifest()),
            Self::Unsigned(manifest) => Some(manifest),
            Self::Nothing => None,
        }
    }
}

impl Candidate {
    /// A file, or a directory with a manifest in it, of which nothing is said yet: it is called as
    /// the file is, and is for this machine.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            name: None,
            platform: None,
            version: None,
            note: None,
            checksums: None,
            keys: Vec::new(),
            manifest: None,
            copies: None,
        }
    }

    /// It is called so.
    pub fn with_name(mut self, name: PluginName) -> Self {
        self.name = Some(name);
        self
    }

    /// It is made for this platform.
    pub fn with_platform(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }

    /// It is this version.
    pub fn with_version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// This is what a reviewer should know.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// It must have the digest that this list gives for it.
    pub fn with_checksums(mut self, checksums: impl Into<Arc<Checksums>>) -> Self {
        self.checksums = Some(checksums.into());
        self
    }

    /// The owner of this key, or of another that is named so, must have signed its manifest.
    pub fn trust(mut self, key: PublicKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Its manifest is this file, not the one beside it or in it.
    pub fn with_manifest(mut self, manifest: impl Into<PathBuf>) -> Self {
        self.manifest = Some(manifest.into());
        self
    }

    /// It is looked at in a private copy below `parent`, as [`Policy::with_private_copy`] has it:
    /// for machines that forbid executing memory.
    pub fn with_private_copy(mut self, parent: impl Into<PathBuf>) -> Self {
        self.copies = Some(parent.into());
        self
    }

    /// Looks at it. What is for this machine must be what a policy would run; what is for another
    /// cannot be examined so, and must have the digests that are said of it.
    ///
    /// # Errors
    ///
    /// [`OfferError`] when it may not run, is not what its manifest, a list of digests or its
    /// caller says, or cannot be read.
    pub fn examine(&self) -> Result<Offer, OfferError> {
        let status = std::fs::metadata(&self.path).map_err(|error| self.io("looking at it", error))?;
        let found = self.found(status.is_dir())?;
        let manifest = found.manifest();
        let name = self.settled("name", &self.name, manifest.map(Manifest::name))?;
        let name = name.or_else(|| self.path.file_name()?.to_str()?.parse().ok());
        let name = name.ok_or_else(|| self.refused(Refusal::Unnamed))?;
        let version = self.settled("version", &self.version, manifest.map(Manifest::version))?;
        let platform = self.settled("platform", &self.platform, manifest.map(Manifest::platform))?;
        let platform = platform.unwrap_or_else(Platform::current);
        let subject = match platform.runs_on(&Platform::current()) {
            true => self.examine_here(&name, &found)?,
            false => self.examine_foreign(&name, &platform, &found, status.is_dir())?,
        };
        // What nobody signed is what the bytes say of themselves, and must not bind whoever agrees
        // to the next version.
        let (minimum_version, vouched_by) = match &found {
            Found::Signed(signed) => (signed.manifest().minimum_version().cloned(), Some(*signed.key())),
            Found::Unsigned(_) | Found::Nothing => (None, None),
        };
        Ok(Offer { name, platform, version, minimum_version, note: self.note.clone(), subject, vouched_by })
    }

    fn found(&self, is_directory: bool) -> Result<Found, SourceError> {
        let path = self.manifest.clone().unwrap_or_else(|| Manifest::belonging_to(&self.path, is_directory));
        Ok(match (self.keys.as_slice(), is_directory) {
            ([], false) => Found::Nothing,
            ([], true) => Found::Unsigned(Manifest::read(path)?),
            (keys, _) => Found::Signed(SignedManifest::read(path, keys)?),
        })
    }

    /// Lets a policy decide that is given exactly what is known.
    fn examine_here(&self, name: &PluginName, found: &Found) -> Result<Subject, OfferError> {
        let mut policy = Policy::new().with_cache(ImageCache::with_budget(0));
        if let Some(checksums) = &self.checksums {
            policy = policy.with_checksums(checksums.clone()).require(SourceKind::Checksums);
        }
        policy = match found {
            Found::Signed(signed) => policy.with_manifest(signed.clone()).require(SourceKind::Manifest),
            Found::Unsigned(manifest) => policy.allow(manifest.digest()),
            Found::Nothing if self.checksums.is_some() => policy,
            Found::Nothing => policy.allow(self.hashed()?.1),
        };
        if let Some(parent) = &self.copies {
            policy = policy.with_private_copy(parent);
        }
        Ok(policy.verify_as(name.clone(), &self.path)?.subject())
    }

    fn examine_foreign(
        &self,
        name: &PluginName,
        platform: &Platform,
        found: &Found,
        is_directory: bool,
    ) -> Result<Subject, OfferError> {
        if let Some(manifest) = found.manifest() {
            manifest.check(name, platform, SystemTime::now()).map_err(|refusal| self.refused(refusal))?;
            let mut differences = manifest.compare(&self.path)?.into_iter();
            // What the manifest does not name is never run.
            if let Some(difference) = differences.find(|difference| !matches!(difference, Difference::Extra { .. })) {
                return Err(OfferError::Differs { path: self.path.clone(), difference });
            }
        }
        let subject = match found.manifest() {
            Some(manifest) if is_directory => Subject::Manifest(manifest.digest()),
            _ => self.foreign_file(platform)?,
        };
        let listed = self.checksums.as_ref().map(|checksums| checksums.digest_for(&self.path)).transpose()?;
        let described = found.manifest().filter(|_| !is_directory).and_then(Manifest::program_file);
        let actual = subject.digest();
        match described.map(|file| file.digest).into_iter().chain(listed).find(|expected| *expected != actual) {
            None => Ok(subject),
            Some(expected) => Err(self.refused(Refusal::DigestMismatch { expected: vec![expected], actual }).into()),
        }
    }

    fn foreign_file(&self, platform: &Platform) -> Result<Subject, OfferError> {
        let (file, digest) = self.hashed()?;
        match format::check(&file) {
            // Other systems have programs of the same form.
            Ok(()) if platform.is_linux() => {
                Err(OfferError::OtherPlatform { path: self.path.clone(), platform: platform.clone() })
            }
            Err(ExamineError::Refusal(refusal @ Refusal::Format(Format::Empty))) => Err(self.refused(refusal).into()),
            Ok(()) | Err(ExamineError::Refusal(_)) => Ok(Subject::File(digest)),
            Err(error) => Err(error.at(&self.path).into()),
        }
    }

    /// The file, and its digest.
    fn hashed(&self) -> Result<(File, Digest), VerifyError> {
        let file = open_regular(&self.path, Symlinks::Follow).map_err(|error| match error {
            RegularFileError::Io(error) => self.io("opening it", error),
            RegularFileError::NotRegular { kind } => self.refused(Refusal::NotRegular { kind }),
        })?;
        let limit = Policy::DEFAULT_SIZE_LIMIT;
        if file.metadata().map_err(|error| self.io("looking at it", error))?.len() > limit {
            return Err(self.refused(Refusal::TooLarge { limit }));
        }
        let digest = Digest::of_file(&file).map_err(|error| self.io("hashing it", error))?;
        Ok((file, digest))
    }

    /// What was given and what was found must be the same, where there is both.
    fn settled<T: Clone + PartialEq + fmt::Display>(
        &self,
        what: &'static str,
        given: &Option<T>,
        found: Option<&T>,
    ) -> Result<Option<T>, OfferError> {
        match (given, found) {
            (Some(given), Some(found)) if given != found => Err(OfferError::Disagreement {
                path: self.path.clone(),
                what,
                given: given.to_string(),
                found: found.to_string(),
            }),
            (given, found) => Ok(given.clone().or_else(|| found.cloned())),
        }
    }

    fn refused(&self, reason: Refusal) -> VerifyError {
        ExamineError::from(reason).at(&self.path)
    }

    fn io(&self, doing: &'static str, source: std::io::Error) -> VerifyError {
        ExamineError::io(doing)(source).at(&self.path)
    }
}
