//! A file or directory that may be added to a lock. It is always compared with its manifest and
//! checksums, and if it is for this machine, checked as before a launch. Changes no lock.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use super::CandidateError;
use crate::authoring::Difference;
use crate::fs::{RegularFileError, Symlinks, open_regular};
use crate::verify::Refusal;
use crate::verify::bytes::format;
use crate::verify::decision::error::ExamineError;
use crate::verify::{
    Artifact, Checksums, Digest, Format, ImageCache, Manifest, Platform, PluginName, Policy, PublicKey, SignedManifest,
    SourceError, SourceKind, Subject, VerifyError, Version,
};

/// A file or directory that may become a [`Candidate`], with the caller's statements about it.
#[derive(Debug, Clone)]
pub struct CandidateBuilder {
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

/// A file or directory that was checked and may be added to a lock. Only
/// [`CandidateBuilder::examine`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub(super) name: PluginName,
    pub(super) platform: Platform,
    pub(super) version: Option<Version>,
    pub(super) minimum_version: Option<Version>,
    pub(super) note: Option<String>,
    pub(super) subject: Subject,
    pub(super) signed_by: Option<PublicKey>,
}

impl Candidate {
    /// Describes the file at `path`, or the directory with its manifest: by default it is named as
    /// the file, and is for this machine.
    pub fn builder(path: impl Into<PathBuf>) -> CandidateBuilder {
        CandidateBuilder::new(path.into())
    }

    /// The name of the plugin.
    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// The platform that it is built for.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The digest of the file, or of the manifest of the directory.
    pub fn subject(&self) -> Subject {
        self.subject
    }

    /// Whether it is built for this machine, and so was checked as before a launch.
    pub fn runs_here(&self) -> bool {
        self.platform.runs_on(&Platform::current())
    }

    pub(super) fn artifact(&self) -> Artifact {
        Artifact::new(self.subject, self.signed_by)
    }
}

/// The manifest of a candidate, if it has one.
enum CandidateManifest {
    Signed(SignedManifest),
    Unsigned(Manifest),
    Nothing,
}

impl CandidateManifest {
    fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Signed(signed) => Some(signed.manifest()),
            Self::Unsigned(manifest) => Some(manifest),
            Self::Nothing => None,
        }
    }
}

impl CandidateBuilder {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
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

    /// Sets the name. The manifest, if there is one, must agree.
    pub fn with_name(mut self, name: PluginName) -> Self {
        self.name = Some(name);
        self
    }

    /// Sets the platform. The manifest, if there is one, must agree.
    pub fn with_platform(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }

    /// Sets the version. The manifest, if there is one, must agree.
    pub fn with_version(mut self, version: Version) -> Self {
        self.version = Some(version);
        self
    }

    /// Adds a note for the reviewers of the lock file.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    /// Requires the digest that this list has for the file.
    pub fn with_checksums(mut self, checksums: impl Into<Arc<Checksums>>) -> Self {
        self.checksums = Some(checksums.into());
        self
    }

    /// Requires a manifest that is signed by this key, or by another key that is named so.
    pub fn trust(mut self, key: PublicKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Uses this manifest instead of the one beside the file or in the directory.
    pub fn with_manifest(mut self, manifest: impl Into<PathBuf>) -> Self {
        self.manifest = Some(manifest.into());
        self
    }

    /// Checks a private copy below `parent`, as [`Policy::with_private_copy`] does: for machines
    /// that forbid executing memory.
    pub fn with_private_copy(mut self, parent: impl Into<PathBuf>) -> Self {
        self.copies = Some(parent.into());
        self
    }

    /// Checks the file or directory. If it is for this machine, a policy must allow it; if it is
    /// for another platform, it must match its manifest and checksums.
    ///
    /// Reads and hashes, which blocks; executes nothing.
    ///
    /// # Errors
    ///
    /// If a policy rejects it, if it differs from its manifest, the checksum list or the facts that
    /// the caller set, or if it cannot be read.
    pub fn examine(&self) -> Result<Candidate, CandidateError> {
        let status = std::fs::metadata(&self.path).map_err(|error| self.io("looking at it", error))?;
        let found = self.found(status.is_dir())?;
        let manifest = found.manifest();
        let name = self.agreed("name", &self.name, manifest.map(Manifest::name))?;
        let name = name.or_else(|| self.path.file_name()?.to_str()?.parse().ok());
        let name = name.ok_or_else(|| self.refused(Refusal::Unnamed))?;
        let version = self.agreed("version", &self.version, manifest.map(Manifest::version))?;
        let platform = self.agreed("platform", &self.platform, manifest.map(Manifest::platform))?;
        let platform = platform.unwrap_or_else(Platform::current);
        let subject = match platform.runs_on(&Platform::current()) {
            true => self.examine_here(&name, &found)?,
            false => self.examine_foreign(&name, &platform, &found, status.is_dir())?,
        };
        // An unsigned manifest is part of the untrusted bytes: its minimum version must not block
        // later updates.
        let (minimum_version, signed_by) = match &found {
            CandidateManifest::Signed(signed) => (signed.manifest().minimum_version().cloned(), Some(*signed.key())),
            CandidateManifest::Unsigned(_) | CandidateManifest::Nothing => (None, None),
        };
        Ok(Candidate { name, platform, version, minimum_version, note: self.note.clone(), subject, signed_by })
    }

    fn found(&self, is_directory: bool) -> Result<CandidateManifest, SourceError> {
        let path = self.manifest.clone().unwrap_or_else(|| Manifest::belonging_to(&self.path, is_directory));
        Ok(match (self.keys.as_slice(), is_directory) {
            ([], false) => CandidateManifest::Nothing,
            ([], true) => CandidateManifest::Unsigned(Manifest::read(path)?),
            (keys, _) => CandidateManifest::Signed(SignedManifest::read(path, keys)?),
        })
    }

    /// Lets a policy decide, with exactly the sources that this candidate has.
    fn examine_here(&self, name: &PluginName, found: &CandidateManifest) -> Result<Subject, CandidateError> {
        let mut policy = Policy::new().with_cache(ImageCache::with_budget(0));
        if let Some(checksums) = &self.checksums {
            policy = policy.with_checksums(checksums.clone()).require(SourceKind::Checksums);
        }
        policy = match found {
            CandidateManifest::Signed(signed) => policy.with_manifest(signed.clone()).require(SourceKind::Manifest),
            CandidateManifest::Unsigned(manifest) => policy.allow(manifest.digest()),
            CandidateManifest::Nothing if self.checksums.is_some() => policy,
            CandidateManifest::Nothing => policy.allow(self.hashed()?.1),
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
        found: &CandidateManifest,
        is_directory: bool,
    ) -> Result<Subject, CandidateError> {
        if let Some(manifest) = found.manifest() {
            manifest.check(name, platform, SystemTime::now()).map_err(|refusal| self.refused(refusal))?;
            let mut differences = manifest.compare(&self.path)?.into_iter();
            // Files that the manifest does not name are never run.
            if let Some(difference) = differences.find(|difference| !matches!(difference, Difference::Extra { .. })) {
                return Err(CandidateError::Differs { path: self.path.clone(), difference });
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

    fn foreign_file(&self, platform: &Platform) -> Result<Subject, CandidateError> {
        let (file, digest) = self.hashed()?;
        match format::check(&file) {
            // Systems other than Linux have ELF programs too.
            Ok(()) if platform.is_linux() => {
                Err(CandidateError::OtherPlatform { path: self.path.clone(), platform: platform.clone() })
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

    /// The caller's value or the manifest's, which must be equal if there are both.
    fn agreed<T: Clone + PartialEq + fmt::Display>(
        &self,
        fact: &'static str,
        given: &Option<T>,
        manifest: Option<&T>,
    ) -> Result<Option<T>, CandidateError> {
        match (given, manifest) {
            (Some(given), Some(manifest)) if given != manifest => Err(CandidateError::Disagreement {
                path: self.path.clone(),
                fact,
                given: given.to_string(),
                manifest: manifest.to_string(),
            }),
            (given, manifest) => Ok(given.clone().or_else(|| manifest.cloned())),
        }
    }

    fn refused(&self, reason: Refusal) -> VerifyError {
        ExamineError::from(reason).at(&self.path)
    }

    fn io(&self, doing: &'static str, source: std::io::Error) -> VerifyError {
        ExamineError::io(doing)(source).at(&self.path)
    }
}
