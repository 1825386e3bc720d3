//! A publisher's statement about a plugin: its name, version and platform, and each of its files
//! with digest and size. Trusted only with a signature ([`SignedManifest`]). Reads no file of the
//! plugin.
//!
//! ```toml
//! format = "portcullis-manifest/1"
//! name = "kv"
//! version = "1.2.0"
//! platform = "linux-x86_64"
//! program = "kv"
//! # Hosts that accept this manifest reject older versions.
//! minimum-version = "1.1.0"
//! expires = 2027-11-30T00:00:00Z
//!
//! [[file]]
//! path = "kv"
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! size = 4123456
//! ```
//!
//! A plugin that needs an interpreter names it: by an absolute path with digest and size, or as one
//! of its own files.
//!
//! ```toml
//! [interpreter]
//! path = "/usr/bin/python3.13"
//! sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
//! size = 6839896
//! arguments = ["-I", "-B"]
//! ```

mod path;
mod read;
mod signed;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use path::{BundlePath, BundlePathError};
pub(crate) use read::FORMAT;
pub use read::ManifestFault;
pub use semver::Version;
pub use signed::SignedManifest;

use crate::limits::sources::MANIFEST_FILE_BYTES;
use crate::verify::sources::document::Document;
use crate::verify::{Digest, Expiry, Platform, PluginName, Refusal, SourceError};

/// The statement of a publisher about one version of a plugin for one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    path: PathBuf,
    digest: Digest,
    name: PluginName,
    version: Version,
    platform: Platform,
    minimum: Option<Version>,
    expires: Option<Expiry>,
    program: BundlePath,
    interpreter: Option<Interpreter>,
    pub(crate) files: BTreeMap<BundlePath, ManifestFile>,
}

/// One file of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestFile {
    /// The SHA-256 of its content.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether the copy of the file is executable.
    pub executable: bool,
}

/// The interpreter of a plugin, and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interpreter {
    /// The file of the interpreter.
    pub program: InterpreterProgram,
    /// The arguments before the plugin's program.
    pub arguments: Vec<String>,
}

/// The file of an interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InterpreterProgram {
    /// One of the plugin's own files.
    Bundled(BundlePath),
    /// A file of the machine.
    #[non_exhaustive]
    Installed {
        /// Its absolute path.
        path: PathBuf,
        /// Its expected SHA-256.
        digest: Digest,
        /// Its expected size in bytes.
        size: u64,
    },
}

impl Manifest {
    /// The largest manifest that is read: 16 MiB.
    pub const LIMIT: u64 = MANIFEST_FILE_BYTES;

    /// The suffix that the name of a plugin of one file gets for the name of its manifest:
    /// `kv.manifest.toml`.
    pub const SUFFIX: &str = ".manifest.toml";

    /// The name of the manifest in a plugin that is a directory.
    pub const INSIDE: &str = "manifest.toml";

    /// Reads the manifest at `path` without a signature. See [`SignedManifest::read`].
    ///
    /// # Errors
    ///
    /// If it cannot be read, names no file, contradicts itself or is malformed.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        Self::parse(&Document::read(path.as_ref(), Self::LIMIT)?)
    }

    /// Reads a manifest from memory. Errors name it `path`.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Result<Self, SourceError> {
        Self::parse(&Document::new(path, bytes))
    }

    pub(crate) fn parse(document: &Document) -> Result<Self, SourceError> {
        read::read(document)
    }

    /// The default path of the manifest of `plugin`: in it if it is a directory, otherwise beside
    /// it.
    pub fn belonging_to(plugin: &Path, is_directory: bool) -> PathBuf {
        if is_directory {
            return plugin.join(Self::INSIDE);
        }
        // The suffix is not added to the whole path, which may end in a slash.
        let mut name = plugin.file_name().unwrap_or_default().to_os_string();
        name.push(Self::SUFFIX);
        plugin.with_file_name(name)
    }

    /// The file that the manifest was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of its bytes, which covers all files that it names.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The name of the plugin.
    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// The version of the plugin.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The platform that the plugin is built for.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The lowest version of the plugin that its publisher still allows, if it names one.
    pub fn minimum_version(&self) -> Option<&Version> {
        self.minimum.as_ref()
    }

    /// The moment at which the manifest expires, if it names one.
    pub fn expires(&self) -> Option<Expiry> {
        self.expires
    }

    /// The file that is started, or passed to the interpreter.
    pub fn program(&self) -> &BundlePath {
        &self.program
    }

    /// The interpreter of the program, if it needs one.
    pub fn interpreter(&self) -> Option<&Interpreter> {
        self.interpreter.as_ref()
    }

    /// All files of the plugin, sorted by path.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&BundlePath, &ManifestFile)> {
        self.files.iter()
    }

    /// The file with this path, if the plugin has one.
    pub fn file(&self, path: &BundlePath) -> Option<&ManifestFile> {
        self.files.get(path)
    }

    /// The size of all files together, in bytes.
    pub fn size(&self) -> u64 {
        self.files.values().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Whether the plugin is a single program without an interpreter, and so may be a file instead
    /// of a directory.
    pub fn is_single_file(&self) -> bool {
        self.files.len() == 1 && self.interpreter.is_none() && !self.program.as_str().contains('/')
    }

    /// The file of the program. Parsing made sure that there is one.
    pub(crate) fn program_file(&self) -> Option<&ManifestFile> {
        self.files.get(&self.program)
    }

    /// Checks that the manifest is for the plugin `name` and for `machine`, and not expired at
    /// `now`.
    ///
    /// # Errors
    ///
    /// [`Refusal::OtherPlugin`], [`Refusal::OtherPlatform`] and [`Refusal::Expired`].
    pub fn check(&self, name: &PluginName, machine: &Platform, now: SystemTime) -> Result<(), Refusal> {
        if self.name != *name {
            return Err(Refusal::OtherPlugin { expected: name.clone(), found: self.name.clone() });
        }
        self.check_validity(machine, now)
    }

    /// [`check`](Self::check) without the name of the plugin.
    ///
    /// # Errors
    ///
    /// [`Refusal::OtherPlatform`] and [`Refusal::Expired`].
    pub fn check_validity(&self, machine: &Platform, now: SystemTime) -> Result<(), Refusal> {
        if !self.platform.runs_on(machine) {
            return Err(Refusal::OtherPlatform { expected: machine.clone(), found: self.platform.clone() });
        }
        if let Some(expires) = self.expires.filter(|expires| expires.has_passed(now)) {
            return Err(Refusal::Expired { expires });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
