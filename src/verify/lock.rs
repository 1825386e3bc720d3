//! `plugins.lock`: which bytes people agreed to run, kept in version control and reviewed there. Changed by explicit commands only;
//! nothing is ever added to it because it was seen.
//!
//! ```toml
//! format = "portcullis-lock/1"
//!
//! [[plugin]]
//! name = "kv"
//! version = "1.2.0"
//!
//! [[plugin.artifact]]
//! platform = "linux-aarch64"
//! sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
//!
//! [[plugin.artifact]]
//! platform = "linux-x86_64"
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! vouched-by = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::document::Document;
use super::form::{self, quoted};
use super::{Digest, Platform, PluginName, PublicKey, SourceError, SourceFault, Version};

const FORMAT: &str = "portcullis-lock/1";

/// The largest lock file in bytes: far more than anybody reviews.
const LIMIT: u64 = 4 * 1024 * 1024;

/// The longest note in characters.
const NOTE: usize = 500;

const HEADER: &str = "\
# The plugins that may run, each by the SHA-256 of its bytes. Review every change of this file.
# Written by `plugin-verify lock`; comments are not kept, a `note` is.
";

/// What people agreed to run: for each plugin, one artifact for each platform.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lock {
    path: PathBuf,
    plugins: BTreeMap<PluginName, LockedPlugin>,
}

/// One plugin in a lock file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LockedPlugin {
    /// The version that was agreed to, where it is known.
    pub version: Option<Version>,
    /// The lowest version that may ever be agreed to: what the publisher's manifests said so far.
    pub minimum_version: Option<Version>,
    /// What a reviewer should know.
    pub note: Option<String>,
    /// What may run, by platform.
    pub artifacts: BTreeMap<Platform, Artifact>,
}

/// What may run on one platform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Artifact {
    /// The bytes.
    pub subject: Subject,
    /// The key whose owner signed them, if somebody did.
    pub vouched_by: Option<PublicKey>,
}

/// What a digest in a lock file is the digest of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// The plugin is one file, and this is it.
    File(Digest),
    /// The plugin is a directory, and this is the manifest in it.
    Manifest(Digest),
}

impl Subject {
    /// The digest, whatever it is of.
    pub fn digest(self) -> Digest {
        match self {
            Self::File(digest) | Self::Manifest(digest) => digest,
        }
    }
}

impl Artifact {
    /// An artifact that was agreed to; `vouched_by` signed it, if somebody did.
    pub fn new(subject: Subject, vouched_by: Option<PublicKey>) -> Self {
        Self { subject, vouched_by }
    }
}

/// Why a lock file is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LockFault {
    /// A plugin is there twice.
    #[error("the plugin {name} is there a second time")]
    Plugin {
        /// Its name.
        name: PluginName,
    },
    /// A plugin has two artifacts for one platform.
    #[error("the plugin {name} has a second artifact for {platform}")]
    Platform {
        /// The plugin.
        name: PluginName,
        /// The platform.
        platform: Platform,
    },
    /// A plugin without artifacts.
    #[error("the plugin {name} has no artifact, so nothing of it may run")]
    NoArtifact {
        /// The plugin.
        name: PluginName,
    },
    /// An artifact must be either a file or a manifest.
    #[error("an artifact has either a sha256 or a manifest, not both and not neither")]
    Subject,
    /// The version that was agreed to is below the lowest that may be.
    #[error("the version {version} is below the minimum version {minimum}")]
    Minimum {
        /// The version that was agreed to.
        version: Version,
        /// The lowest that may be.
        minimum: Version,
    },
    /// A note is too long, or more than a line.
    #[error("a note is one line of at most {NOTE} characters, without control characters")]
    Note,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(rename = "format")]
    _format: String,
    #[serde(default, rename = "plugin")]
    plugins: Vec<Spanned<PluginForm>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PluginForm {
    name: PluginName,
    version: Option<WrittenVersion>,
    minimum_version: Option<WrittenVersion>,
    note: Option<String>,
    #[serde(default, rename = "artifact")]
    artifacts: Vec<Spanned<ArtifactForm>>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct WrittenVersion(#[serde(deserialize_with = "form::from_text")] Version);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ArtifactForm {
    platform: Platform,
    sha256: Option<Digest>,
    manifest: Option<Digest>,
    vouched_by: Option<PublicKey>,
}

impl Lock {
    /// A lock file that names nothing yet, and will be written to `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), plugins: BTreeMap::new() }
    }

    /// Reads the lock file at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, names no plugin, names one twice, or is malformed.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        Self::parse(&Document::read(path.as_ref(), LIMIT)?)
    }

    /// Reads a lock file from `bytes`; `path` is what it is called where something is wrong with it.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_bytes(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Result<Self, SourceError> {
        Self::parse(&Document::new(path, bytes))
    }

    fn parse(document: &Document) -> Result<Self, SourceError> {
        let form: Form = form::read(document, FORMAT)?;
        let mut lock = Self::new(document.path());
        for entry in form.plugins {
            let offset = entry.span().start;
            let (name, plugin) = plugin(document, offset, entry.into_inner())?;
            if lock.plugins.insert(name.clone(), plugin).is_some() {
                return Err(at(document, offset, LockFault::Plugin { name }));
            }
        }
        match lock.plugins.is_empty() {
            true => Err(document.fault(None, SourceFault::Empty)),
            false => Ok(lock),
        }
    }

    /// The file that it was read from, or will be written to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every plugin, in the order of their names.
    pub fn plugins(&self) -> impl ExactSizeIterator<Item = (&PluginName, &LockedPlugin)> {
        self.plugins.iter()
    }

    /// The plugin with this name, if it was agreed to.
    pub fn plugin(&self, name: &PluginName) -> Option<&LockedPlugin> {
        self.plugins.get(name)
    }

    /// What may run under this name on `machine`: an artifact for that platform, or else one for any.
    pub fn artifact(&self, name: &PluginName, machine: &Platform) -> Option<&Artifact> {
        let artifacts = &self.plugins.get(name)?.artifacts;
        artifacts.get(machine).or_else(|| artifacts.get(&Platform::any()))
    }

    /// Agrees to a plugin: what was there under this name is replaced, and returned.
    pub fn insert(&mut self, name: PluginName, plugin: LockedPlugin) -> Option<LockedPlugin> {
        self.plugins.insert(name, plugin)
    }

    /// Agrees to a plugin no longer, and returns what was there.
    pub fn remove(&mut self, name: &PluginName) -> Option<LockedPlugin> {
        self.plugins.remove(name)
    }

    /// The lock file as text: sorted, so that the same agreement is always the same bytes.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}format = {}\n", quoted(FORMAT));
        for (name, plugin) in &self.plugins {
            // Writing to a string does not fail.
            let _ = write!(text, "\n[[plugin]]\nname = {}\n", quoted(name.as_str()));
            let versions = [("version", &plugin.version), ("minimum-version", &plugin.minimum_version)];
            for (key, version) in versions.into_iter().filter_map(|(key, version)| Some((key, version.as_ref()?))) {
                let _ = writeln!(text, "{key} = {}", quoted(&version.to_string()));
            }
            if let Some(note) = &plugin.note {
                let _ = writeln!(text, "note = {}", quoted(note));
            }
            for (platform, artifact) in &plugin.artifacts {
                write_artifact(&mut text, platform, artifact);
            }
        }
        text
    }

    /// Writes the lock file whole, or leaves it as it was: the new text is read back, written beside it, synced and moved over it. It keeps
    /// its permission bits; a new one may be read by everybody and written by its owner.
    ///
    /// # Errors
    ///
    /// When what was agreed to is no lock file (it names nothing, say), and when it cannot be written.
    pub fn write(&self) -> Result<(), LockWriteError> {
        let text = self.to_text();
        Self::from_bytes(&self.path, text.as_bytes())?;
        replace(&self.path, text.as_bytes()).map_err(|source| LockWriteError::Io { path: self.path.clone(), source })
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link is kept, and what it leads to is replaced.
    let (target, mode) = match path.canonicalize() {
        Ok(target) => {
            let mode = std::fs::metadata(&target)?.mode() & 0o777;
            (target, mode)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => (path.to_path_buf(), 0o644),
        Err(error) => return Err(error),
    };
    let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".plugins.lock-").tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    // The new name is durable when the directory is.
    std::fs::File::open(directory)?.sync_all()
}

fn at(document: &Document, offset: usize, fault: LockFault) -> SourceError {
    document.fault(Some(document.line_of(offset)), fault)
}

fn plugin(document: &Document, offset: usize, written: PluginForm) -> Result<(PluginName, LockedPlugin), SourceError> {
    let PluginForm { name, version, minimum_version, note, artifacts } = written;
    let mut plugin = LockedPlugin {
        version: version.map(|written| written.0),
        minimum_version: minimum_version.map(|written| written.0),
        note,
        artifacts: BTreeMap::new(),
    };
    for entry in artifacts {
        let offset = entry.span().start;
        let ArtifactForm { platform, sha256, manifest, vouched_by } = entry.into_inner();
        let subject = match (sha256, manifest) {
            (Some(digest), None) => Subject::File(digest),
            (None, Some(digest)) => Subject::Manifest(digest),
            _ => return Err(at(document, offset, LockFault::Subject)),
        };
        if plugin.artifacts.insert(platform.clone(), Artifact { subject, vouched_by }).is_some() {
            return Err(at(document, offset, LockFault::Platform { name, platform }));
        }
    }
    match fault(&name, &plugin) {
        None => Ok((name, plugin)),
        Some(fault) => Err(at(document, offset, fault)),
    }
}

fn fault(name: &PluginName, plugin: &LockedPlugin) -> Option<LockFault> {
    if plugin.artifacts.is_empty() {
        return Some(LockFault::NoArtifact { name: name.clone() });
    }
    if plugin.note.as_ref().is_some_and(|note| note.chars().count() > NOTE || note.chars().any(char::is_control)) {
        return Some(LockFault::Note);
    }
    match (&plugin.version, &plugin.minimum_version) {
        (Some(version), Some(minimum)) if version < minimum => {
            Some(LockFault::Minimum { version: version.clone(), minimum: minimum.clone() })
        }
        _ => None,
    }
}

fn write_artifact(text: &mut String, platform: &Platform, artifact: &Artifact) {
    let _ = write!(text, "\n[[plugin.artifact]]\nplatform = {}\n", quoted(&platform.to_string()));
    let _ = match artifact.subject {
        Subject::File(digest) => writeln!(text, "sha256 = \"{digest}\""),
        Subject::Manifest(digest) => writeln!(text, "manifest = \"{digest}\""),
    };
    if let Some(key) = &artifact.vouched_by {
        let _ = writeln!(text, "vouched-by = {}", quoted(&key.to_string()));
    }
}

/// A lock file was not written. What was there is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockWriteError {
    /// What was to be written is no lock file.
    #[error(transparent)]
    Malformed(#[from] SourceError),
    /// The system refused.
    #[error("{} could not be written", crate::Escaped::path(path))]
    #[non_exhaustive]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn head() -> String {
        format!("format = \"{FORMAT}\"\n")
    }

    fn artifact(platform: &str) -> String {
        format!("[[plugin.artifact]]\nplatform = \"{platform}\"\nsha256 = \"{DIGEST}\"\n")
    }

    fn plugin(name: &str) -> String {
        format!("[[plugin]]\nname = \"{name}\"\n")
    }

    fn name(text: &str) -> PluginName {
        text.parse().unwrap()
    }

    fn locked() -> Lock {
        let mut lock = Lock::new("plugins.lock");
        let digest: Digest = DIGEST.parse().unwrap();
        let vouched = Artifact::new(Subject::File(digest), Some(KEY.parse().unwrap()));
        let kv = LockedPlugin {
            version: Some(Version::new(1, 2, 0)),
            minimum_version: Some(Version::new(1, 0, 0)),
            note: Some("asked for by \"ops\"".into()),
            artifacts: BTreeMap::from([
                (Platform::current(), vouched),
                ("plan9-vax".parse().unwrap(), Artifact::new(Subject::Manifest(digest), None)),
            ]),
        };
        let any = BTreeMap::from([(Platform::any(), Artifact::new(Subject::File(digest), None))]);
        lock.insert(name("zip"), LockedPlugin { artifacts: any, ..LockedPlugin::default() });
        lock.insert(name("kv"), kv);
        lock
    }

    #[test]
    fn what_is_written_is_read_back_and_sorted() {
        let lock = locked();
        let text = lock.to_text();
        assert_eq!(Lock::from_bytes("plugins.lock", text.as_bytes()).unwrap(), lock);
        let names: Vec<_> = text.lines().filter(|line| line.starts_with("name")).collect();
        assert_eq!(names, ["name = \"kv\"", "name = \"zip\""]);
        assert_eq!(Lock::from_bytes("plugins.lock", text.as_bytes()).unwrap().to_text(), text);
    }

    #[test]
    fn an_artifact_is_for_a_platform_or_for_any() {
        let lock = locked();
        let here = Platform::current();
        assert!(lock.artifact(&name("kv"), &here).unwrap().vouched_by.is_some());
        assert!(lock.artifact(&name("kv"), &"linux-other".parse().unwrap()).is_none());
        assert!(lock.artifact(&name("zip"), &here).is_some());
        assert!(lock.artifact(&name("none"), &here).is_none());
    }

    #[test]
    fn what_is_ambiguous_or_empty_is_refused_with_its_line() {
        let kv = plugin("kv");
        let any = artifact("any");
        for (text, line, expected) in [
            (String::new(), None, "it names nothing, and so vouches for nothing"),
            (head(), None, "it names nothing, and so vouches for nothing"),
            (head() + &kv, Some(2), "the plugin kv has no artifact, so nothing of it may run"),
            (head() + &kv + &any + &kv + &any, Some(7), "the plugin kv is there a second time"),
            (head() + &kv + &any + &any, Some(7), "the plugin kv has a second artifact for any"),
            (
                head() + &kv + "[[plugin.artifact]]\nplatform = \"any\"\n",
                Some(4),
                "an artifact has either a sha256 or a manifest, not both and not neither",
            ),
            (
                head() + &kv + &any + &format!("manifest = \"{DIGEST}\"\n"),
                Some(4),
                "an artifact has either a sha256 or a manifest, not both and not neither",
            ),
            (
                head() + &kv + "version = \"1.0.0\"\nminimum-version = \"1.0.1\"\n" + &any,
                Some(2),
                "the version 1.0.0 is below the minimum version 1.0.1",
            ),
            (
                head() + &kv + "note = \"a\\nb\"\n" + &any,
                Some(2),
                "a note is one line of at most 500 characters, without control characters",
            ),
        ] {
            let error = Lock::from_bytes("lock", text.as_bytes()).unwrap_err();
            assert_eq!((error.line, error.fault.to_string().as_str()), (line, expected), "{text}");
        }
        for broken in ["unknown = 1", "sha256 = \"abc\"", "vouched-by = \"abc\"", "x = [", "platform = \"any\""] {
            let error = Lock::from_bytes("lock", head() + &kv + &any + broken).unwrap_err();
            assert!(matches!(error.fault, SourceFault::Toml { .. }), "{broken}: {error}");
            assert!(error.line.is_some(), "{broken}");
        }
    }

    #[test]
    fn writing_replaces_the_whole_or_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("plugins.lock");
        let lock = Lock { path: path.clone(), ..locked() };
        lock.write().unwrap();
        assert_eq!(Lock::read(&path).unwrap(), lock);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        lock.write().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(matches!(Lock::new(&path).write(), Err(LockWriteError::Malformed(_))));
        assert_eq!(Lock::read(&path).unwrap(), lock);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
