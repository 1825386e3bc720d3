//! What a publisher claims of a plugin: its name, version and platform, and every file of it with
//! digest and size. A claim is worth what its signature is worth ([`SignedManifest`]); nothing here
//! looks at the files.
//!
//! ```toml
//! format = "portcullis-manifest/1"
//! name = "kv"
//! version = "1.2.0"
//! platform = "linux-x86_64"
//! program = "kv"
//! # Versions below this one are not to be run any more.
//! minimum-version = "1.1.0"
//! expires = 2027-11-30T00:00:00Z
//!
//! [[file]]
//! path = "kv"
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! size = 4123456
//! ```
//!
//! A plugin that an interpreter runs names that too: by an absolute path with digest and size, or
//! as one of its own files.
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

use crate::verify::sources::document::Document;
use crate::verify::{Digest, Expiry, Platform, PluginName, Refusal, SourceError};

/// What a publisher claims of one version of a plugin for one platform.
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
    /// Whether it may be executed once it is in place.
    pub executable: bool,
}

/// The program that runs a plugin's own program.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interpreter {
    /// Where it is.
    pub program: InterpreterProgram,
    /// Its arguments before the plugin's program.
    pub arguments: Vec<String>,
}

/// Where an interpreter is.
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
        /// The SHA-256 that it must have.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
    },
}

impl Manifest {
    /// The largest manifest in bytes: room for some hundred thousand files.
    pub const LIMIT: u64 = 16 * 1024 * 1024;

    /// What is added to the name of a plugin that is one file for the name of its manifest beside
    /// it: `kv.manifest.toml`.
    pub const SUFFIX: &str = ".manifest.toml";

    /// The name of the manifest inside a plugin that is a directory.
    pub const INSIDE: &str = "manifest.toml";

    /// Reads the manifest at `path`. Nothing vouches for it yet: see [`SignedManifest::read`].
    ///
    /// # Errors
    ///
    /// When it cannot be read, names no file, contradicts itself or is malformed.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        Self::parse(&Document::read(path.as_ref(), Self::LIMIT)?)
    }

    /// Reads a manifest from `bytes`; `path` is what it is called where something is wrong with it.
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

    /// Where the manifest of `plugin` lies unless another place is named: in it if it is a
    /// directory, or else beside it.
    pub fn belonging_to(plugin: &Path, is_directory: bool) -> PathBuf {
        if is_directory {
            return plugin.join(Self::INSIDE);
        }
        // Not added to the path itself, which may end in a slash.
        let mut name = plugin.file_name().unwrap_or_default().to_os_string();
        name.push(Self::SUFFIX);
        plugin.with_file_name(name)
    }

    /// The file that it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of its bytes, which stands for everything that it names.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What the plugin is called.
    pub fn name(&self) -> &PluginName {
        &self.name
    }

    /// The version of the plugin.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The machine that it is made for.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The lowest version of the plugin that its publisher still wants to be run, if it says so.
    pub fn minimum_version(&self) -> Option<&Version> {
        self.minimum.as_ref()
    }

    /// From when on it no longer holds, if ever.
    pub fn expires(&self) -> Option<Expiry> {
        self.expires
    }

    /// The file that is started, or that the interpreter is given.
    pub fn program(&self) -> &BundlePath {
        &self.program
    }

    /// What runs the program, if it does not run by itself.
    pub fn interpreter(&self) -> Option<&Interpreter> {
        self.interpreter.as_ref()
    }

    /// Every file of the plugin, in the order of their paths.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&BundlePath, &ManifestFile)> {
        self.files.iter()
    }

    /// The file with this path, if it is one of the plugin's.
    pub fn file(&self, path: &BundlePath) -> Option<&ManifestFile> {
        self.files.get(path)
    }

    /// How many bytes its files have together.
    pub fn size(&self) -> u64 {
        self.files.values().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// Whether it describes a single program that needs nothing else, so that the plugin may be a
    /// file and not a directory.
    pub fn is_single_file(&self) -> bool {
        self.files.len() == 1 && self.interpreter.is_none() && !self.program.as_str().contains('/')
    }

    /// What [`read`](Self::read) made sure of.
    pub(crate) fn program_file(&self) -> Option<&ManifestFile> {
        self.files.get(&self.program)
    }

    /// Whether it is about the plugin `name`, for `machine`, and holds at `now`.
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

    /// Whether it is for `machine` and holds at `now`, whatever its plugin is called.
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
