//! A policy file, which an operator writes once for all hosts of a machine. Every path in it
//! starts from the file's own directory.
//!
//! ```toml
//! format = "portcullis-policy/1"
//! directory = "/usr/lib/example/plugins"
//! require = ["manifest", "lock"]
//! lock = "plugins.lock"
//! deny = ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
//!
//! [[key]]
//! minisign = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
//! plugins = ["kv"]
//!
//! [minimum-version]
//! kv = "1.2.0"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::{ImageStorage, Policy, TrustedKey};
use crate::fs::{OTHERS_WRITE, Ownership, PERMISSION_BITS, Redirection, resolve};
use crate::limits::verify as limits;
use crate::verify::sources::document::Document;
use crate::verify::sources::toml_document::{self, RawVersion};
use crate::verify::{Checksums, Digest, Lock, Owners, PluginName, PublicKey, SourceError, SourceFault};
use crate::verify::{LinkageRule, SourceKind};

const FORMAT: &str = "portcullis-policy/1";

/// Why the parts of a policy do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// The policy requires a source and has none of that kind.
    #[error("the policy requires the source '{kind}' and has none of that kind, so it would allow nothing")]
    RequiredSource {
        /// The kind.
        kind: SourceKind,
    },
    /// The plugin directory is not absolute.
    #[error("the plugin directory must be an absolute path without `..`")]
    Directory,
    /// A digest is both allowed and denied.
    #[error("{digest} is both allowed and denied; remove one of the two entries")]
    AllowedAndDenied {
        /// The digest.
        digest: Digest,
    },
    /// The mode lets other users write plugins.
    #[error("the mode lets other users write plugins, and so decide which code runs")]
    Mode,
    /// An owner is neither `root`, `host` nor a user id.
    #[error("an owner must be \"root\", \"host\" or a user id")]
    Owner,
    /// Private copies need a directory.
    #[error("the execution \"private-copy\" needs a directory: `copies`")]
    NoCopies,
    /// The execution mode is unknown.
    #[error("the execution must be \"sealed\", \"private-copy\" or \"dangerous-pinned-fd\"")]
    Execution,
}

impl PolicyFault {
    /// Its name for programs, in kebab-case. Stable between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RequiredSource { .. } => "policy-required-source",
            Self::Directory => "policy-directory",
            Self::AllowedAndDenied { .. } => "policy-allowed-and-denied",
            Self::Mode => "policy-mode",
            Self::Owner => "policy-owner",
            Self::NoCopies => "policy-no-copies",
            Self::Execution => "policy-execution",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawPolicy {
    #[serde(rename = "format")]
    _format: String,
    directory: Spanned<PathBuf>,
    #[serde(default)]
    require: Vec<Spanned<RawKind>>,
    #[serde(default)]
    allow: Vec<Digest>,
    #[serde(default)]
    deny: Vec<Spanned<Digest>>,
    lock: Option<PathBuf>,
    checksums: Option<PathBuf>,
    size_limit: Option<u64>,
    execution: Option<Spanned<String>>,
    copies: Option<PathBuf>,
    #[serde(default, rename = "key")]
    keys: Vec<RawKey>,
    #[serde(default)]
    place: Option<Spanned<RawLocation>>,
    linkage: Option<RawLinkage>,
    #[serde(default)]
    minimum_version: BTreeMap<RawName, RawVersion>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct RawKind(#[serde(deserialize_with = "toml_document::from_text")] SourceKind);

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
struct RawName(#[serde(deserialize_with = "toml_document::from_text")] PluginName);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    minisign: PublicKey,
    plugins: Option<BTreeSet<PluginName>>,
    /// For people.
    #[serde(rename = "note")]
    _note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLocation {
    owners: Option<Vec<RawOwner>>,
    mode: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawLinkage {
    #[serde(default)]
    only_static: bool,
    #[serde(default)]
    no_search_paths: bool,
    only_libraries: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawOwner {
    Id(u32),
    Word(String),
}

impl Policy {
    /// Reads the policy at `path`, and the lock file and the list of digests that it names.
    ///
    /// Only root and this process's user may be able to write or replace these files, because their
    /// contents decide which plugins run.
    ///
    /// # Errors
    ///
    /// When one of the files cannot be read, may be written by others, contradicts itself or is
    /// malformed.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        let path = path.as_ref();
        refuse_writable(path)?;
        let document = Document::read(path, limits::POLICY_BYTES)?;
        let form: RawPolicy = toml_document::read(&document, FORMAT)?;
        let base = path.parent().unwrap_or(Path::new(""));
        let named = |path: &Option<PathBuf>| path.as_ref().map(|path| base.join(path));
        let (lock, checksums) = (named(&form.lock), named(&form.checksums));
        lock.iter().chain(&checksums).try_for_each(|path| refuse_writable(path))?;
        let lock = lock.map(Lock::read).transpose()?;
        let checksums = checksums.map(Checksums::read).transpose()?;
        let mut policy = build(&document, form, base)?;
        policy.lock = lock.map(Arc::new);
        policy.checksums = checksums.map(Arc::new);
        Ok(policy)
    }

    /// Reads a policy from `bytes`, without the files that it names. Errors name the policy by
    /// `path`. For checking a policy before it is put into place.
    ///
    /// # Errors
    ///
    /// When it contradicts itself or is malformed.
    pub fn check_bytes(path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Result<(), SourceError> {
        let document = Document::new(path, bytes);
        let form: RawPolicy = toml_document::read(&document, FORMAT)?;
        build(&document, form, Path::new("")).map(|_| ())
    }
}

fn build(document: &Document, form: RawPolicy, base: &Path) -> Result<Policy, SourceError> {
    let at = |offset: usize, fault: PolicyFault| document.fault(Some(document.line_of(offset)), fault);
    if !is_plain(form.directory.get_ref()) {
        return Err(at(form.directory.span().start, PolicyFault::Directory));
    }
    let mut policy = Policy::new().with_directory(form.directory.get_ref());
    policy.allowed = form.allow.into_iter().collect();
    for denied in form.deny {
        if policy.allowed.contains(denied.get_ref()) {
            return Err(at(denied.span().start, PolicyFault::AllowedAndDenied { digest: *denied.get_ref() }));
        }
        policy.denied.insert(denied.into_inner());
    }
    policy.keys =
        form.keys.into_iter().map(|RawKey { minisign: key, plugins, .. }| TrustedKey { key, plugins }).collect();
    policy.minimum = form.minimum_version.into_iter().map(|(name, version)| (name.0, version.0)).collect();
    policy.limit = form.size_limit;
    policy.copies = form.copies.map(|copies| base.join(copies));
    if let Some(execution) = form.execution {
        policy.storage =
            place(execution.get_ref(), &policy.copies).map_err(|fault| at(execution.span().start, fault))?;
    }
    if let Some(place) = form.place {
        let start = place.span().start;
        policy.owners = owners(place.into_inner()).map_err(|fault| at(start, fault))?;
    }
    if let Some(linkage) = form.linkage {
        policy.linkage = rule(linkage);
    }
    for kind in form.require {
        let RawKind(required) = kind.get_ref();
        let is_there = match required {
            SourceKind::Allow => !policy.allowed.is_empty(),
            SourceKind::Lock => form.lock.is_some(),
            SourceKind::Manifest => !policy.keys.is_empty(),
            SourceKind::Checksums => form.checksums.is_some(),
        };
        if !is_there {
            return Err(at(kind.span().start, PolicyFault::RequiredSource { kind: *required }));
        }
        policy.required.insert(*required);
    }
    let names_nothing = policy.has_no_source() && form.lock.is_none() && form.checksums.is_none();
    if names_nothing { Err(document.fault(None, SourceFault::Empty)) } else { Ok(policy) }
}

fn is_plain(path: &Path) -> bool {
    use std::path::Component::{Normal, RootDir};
    let mut components = path.components();
    components.next() == Some(RootDir) && components.all(|component| matches!(component, Normal(_)))
}

fn place(execution: &str, copies: &Option<PathBuf>) -> Result<ImageStorage, PolicyFault> {
    match (execution, copies) {
        ("sealed", _) => Ok(ImageStorage::Memory),
        ("private-copy", Some(copies)) => Ok(ImageStorage::Directory(copies.clone())),
        ("private-copy", None) => Err(PolicyFault::NoCopies),
        ("dangerous-pinned-fd", _) => Ok(ImageStorage::InPlace),
        _ => Err(PolicyFault::Execution),
    }
}

fn owners(form: RawLocation) -> Result<Owners, PolicyFault> {
    let mut owners = Owners::root_and_host();
    if let Some(named) = form.owners {
        let user = |owner| match owner {
            RawOwner::Id(id) => Ok(id),
            RawOwner::Word(word) if word == "root" => Ok(0),
            RawOwner::Word(word) if word == "host" => Ok(rustix::process::geteuid().as_raw()),
            RawOwner::Word(_) => Err(PolicyFault::Owner),
        };
        owners = Owners::only(named.into_iter().map(user).collect::<Result<Vec<_>, _>>()?);
    }
    match form.mode {
        None => Ok(owners),
        Some(mode) if mode & !PERMISSION_BITS != 0 || mode & OTHERS_WRITE != 0 => Err(PolicyFault::Mode),
        Some(mode) => Ok(owners.with_mode(mode)),
    }
}

fn rule(form: RawLinkage) -> LinkageRule {
    let mut rule = LinkageRule::new();
    if form.only_static {
        rule = rule.only_static();
    }
    if form.no_search_paths {
        rule = rule.no_search_paths();
    }
    match form.only_libraries {
        Some(libraries) => rule.only_libraries(libraries),
        None => rule,
    }
}

/// Refuses a file that another user may write or replace. After that, only root and this process's
/// user can change which file the path names.
fn refuse_writable(path: &Path) -> Result<(), SourceError> {
    let unreadable = |error| SourceError::new(path, None, SourceFault::Unreadable(error));
    let found = std::path::absolute(path).and_then(|path| resolve(&path)).map_err(unreadable)?;
    if !found.exists {
        return Err(unreadable(io::ErrorKind::NotFound.into()));
    }
    if let Some(Redirection { path, owner, mode }) = found.redirection {
        return Err(SourceError::new(path, None, SourceFault::WritableByOthers { owner, mode }));
    }
    let file = Ownership::of(&std::fs::metadata(path).map_err(unreadable)?);
    if file.others_can_write() {
        let Ownership { owner, mode, .. } = file;
        return Err(SourceError::new(path, None, SourceFault::WritableByOthers { owner, mode }));
    }
    Ok(())
}
