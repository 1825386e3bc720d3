//! The operator's policy: which plugins may run. A [`Policy`] is built in code or read from a file.
//! Its answer about a plugin is a [`Decision`], which holds a [`VerifiedPlugin`] if the plugin may
//! run. Reads files; executes nothing.

mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use read::PolicyFault;

use super::examine::{Examination, Request};
use super::{Decision, LinkageRule, SourceKind, VerifiedPlugin};
use crate::limits::verify as limits;
use crate::verify::bytes::image::ExecMode;
use crate::verify::{
    Checksums, Digest, ImageCache, Lock, Owners, PluginName, PublicKey, SignedManifest, Subject, VerifyError, Version,
};

/// The rules for which plugins may run. A new policy allows nothing. Sources name the exact bytes
/// that may run: digests in the policy ([`allow`](Self::allow)), a checksum list
/// ([`with_checksums`](Self::with_checksums)), a lock file ([`with_lock`](Self::with_lock)), and
/// manifests signed by trusted keys ([`trust`](Self::trust)).
///
/// A plugin may run if at least one source accepts it and every required source does
/// ([`require`](Self::require)), no two sources contradict each other, none of its files is denied
/// ([`deny`](Self::deny)), and it is in the plugin directory, if there is one
/// ([`with_directory`](Self::with_directory)).
///
/// ```no_run
/// use portcullis::verify::Policy;
///
/// let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".parse()?;
/// let policy = Policy::new().allow(digest);
/// let verified = policy.verify("/usr/lib/example/plugins/kv")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Lock files and manifests look a plugin up by name: its file name, or the name given to
/// [`verify_as`](Self::verify_as). Digests in the policy have no names: any of them may run from
/// any path. So use one policy for each plugin; policies can share an [`ImageCache`]
/// ([`with_cache`](Self::with_cache)).
///
/// A policy with a single digest relaunches from its cache, so keep the policy while the plugin is
/// in use. The same holds if a lock file or manifest names the plugin. With several digests and no
/// other source, each verification reads the file to find out which digest it has.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    pub(super) allowed: BTreeSet<Digest>,
    pub(super) denied: BTreeSet<Digest>,
    pub(super) lock: Option<Arc<Lock>>,
    pub(super) checksums: Option<Arc<Checksums>>,
    pub(super) manifests: BTreeMap<PluginName, SignedManifest>,
    keys: Vec<TrustedKey>,
    pub(super) required: BTreeSet<SourceKind>,
    pub(super) minimum: BTreeMap<PluginName, Version>,
    pub(super) directory: Option<PathBuf>,
    pub(super) owners: Owners,
    pub(super) linkage: LinkageRule,
    pub(super) copies: Option<PathBuf>,
    pub(super) limit: Option<u64>,
    pub(super) storage: ImageStorage,
    pub(super) cache: ImageCache,
}

/// A key, and the plugins for which its signatures count.
#[derive(Debug, Clone)]
struct TrustedKey {
    key: PublicKey,
    /// `None`: all plugins.
    plugins: Option<BTreeSet<PluginName>>,
}

/// The storage of the bytes that will run.
#[derive(Debug, Clone, Default)]
pub(super) enum ImageStorage {
    #[default]
    Memory,
    Directory(PathBuf),
    InPlace,
}

impl Policy {
    /// The default limit for the size of a plugin: 1 GiB.
    pub const DEFAULT_SIZE_LIMIT: u64 = limits::PLUGIN_BYTES;

    /// A policy that allows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows the bytes with this digest.
    pub fn allow(mut self, digest: Digest) -> Self {
        self.allowed.insert(digest);
        self
    }

    /// Denies the bytes with this digest: a plugin's file, its manifest, or any of its files. No
    /// source overrides this. Use it to revoke a bad release.
    pub fn deny(mut self, digest: Digest) -> Self {
        self.denied.insert(digest);
        self
    }

    /// Allows the artifacts of a lock file for the platform of this machine.
    pub fn with_lock(mut self, lock: impl Into<Arc<Lock>>) -> Self {
        self.lock = Some(lock.into());
        self
    }

    /// Allows each file in a checksum list, matched by its listed name. A checksum list cannot
    /// contain a plugin that is a directory.
    pub fn with_checksums(mut self, checksums: impl Into<Arc<Checksums>>) -> Self {
        self.checksums = Some(checksums.into());
        self
    }

    /// Allows the plugin of a signed manifest. A manifest beside the plugin is then ignored.
    pub fn with_manifest(mut self, manifest: SignedManifest) -> Self {
        self.manifests.insert(manifest.manifest().name().clone(), manifest);
        self
    }

    /// Allows every plugin with a manifest signed by `key`. The manifest of a file is beside it
    /// ([`Manifest::SUFFIX`](crate::verify::Manifest::SUFFIX)), that of a directory is in it
    /// ([`Manifest::INSIDE`](crate::verify::Manifest::INSIDE)). A plugin whose manifest has no
    /// signature by a trusted key is refused.
    pub fn trust(mut self, key: PublicKey) -> Self {
        self.keys.push(TrustedKey { key, plugins: None });
        self
    }

    /// As [`trust`](Self::trust), for the plugins with these names only.
    pub fn trust_for(mut self, key: PublicKey, plugins: impl IntoIterator<Item = PluginName>) -> Self {
        self.keys.push(TrustedKey { key, plugins: Some(plugins.into_iter().collect()) });
        self
    }

    /// Refuses plugins that no source of this kind accepts. If several kinds are required, each of
    /// them must accept the plugin.
    pub fn require(mut self, kind: SourceKind) -> Self {
        self.required.insert(kind);
        self
    }

    /// Refuses versions of a plugin below `minimum`, and unknown versions. The minimum in the lock
    /// file also applies; the higher one decides.
    pub fn with_minimum_version(mut self, name: PluginName, minimum: Version) -> Self {
        self.minimum.insert(name, minimum);
        self
    }

    /// Accepts only plugins beneath `directory`, an absolute path.
    ///
    /// Each check walks the path from `/`, one open directory descriptor at a time (openat2(2)). No
    /// component may be a symbolic link. Each must be owned by root or by this process's user and
    /// be writable by its owner only; [`with_owners`](Self::with_owners) allows other owners. Above
    /// `directory`, a sticky directory such as `/tmp` may be writable by all.
    pub fn with_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets who may own the plugin directory, the directories above it and the files in it.
    pub fn with_owners(mut self, owners: Owners) -> Self {
        self.owners = owners;
        self
    }

    /// Accepts only plugins and interpreters that satisfy `rule`.
    pub fn with_linkage(mut self, rule: LinkageRule) -> Self {
        self.linkage = rule;
        self
    }

    /// Copies the files of directory plugins into private directories below `parent`. The default
    /// is the directory for private copies, or else the system's directory for temporary files.
    ///
    /// # Security
    ///
    /// Some interpreters also search for modules in the directories above a program: Node in every
    /// `node_modules` up to the root. For such plugins choose a `parent` above which no other user
    /// may create files. In the system's directory for temporary files every user may.
    pub fn with_bundle_directory(mut self, parent: impl Into<PathBuf>) -> Self {
        self.copies = Some(parent.into());
        self
    }

    /// Refuses files of more than `limit` bytes before they are read, and directories whose files
    /// are larger together.
    pub fn with_size_limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Shares `cache` with other policies. The default is a cache for this policy alone.
    pub fn with_cache(mut self, cache: ImageCache) -> Self {
        self.cache = cache;
        self
    }

    /// Runs plugins from copies in private directories below `parent` ([`ExecMode::PrivateCopy`]).
    ///
    /// For machines that do not execute memory, and for plugins that open their own file.
    ///
    /// # Security
    ///
    /// Another process of the same user can change such a copy after it was hashed. Other users
    /// cannot: a directory in which they may rename files is refused.
    pub fn with_private_copy(mut self, parent: impl Into<PathBuf>) -> Self {
        self.storage = ImageStorage::Directory(parent.into());
        self
    }

    /// Runs plugins in place, from an open descriptor ([`ExecMode::PinnedFd`]). For plugins that
    /// need the files beside them.
    ///
    /// # Security
    ///
    /// The digest is that of the file at the time of the check. Root and this process's user may
    /// write the file, and may change it afterwards: the bytes that run then differ from the bytes
    /// that were hashed. A file that other users may write is refused.
    pub fn dangerous_with_pinned_fd(mut self) -> Self {
        self.storage = ImageStorage::InPlace;
        self
    }

    /// The execution mode of the plugins that this policy verifies.
    pub fn mode(&self) -> ExecMode {
        match self.storage {
            ImageStorage::Memory => ExecMode::Sealed,
            ImageStorage::Directory(_) => ExecMode::PrivateCopy,
            ImageStorage::InPlace => ExecMode::PinnedFd,
        }
    }

    /// Verifies the plugin at `path` and returns it ready for launch.
    ///
    /// The file is copied, protected against changes and hashed. If the sources name one digest and
    /// the cache has an image with that digest, the cached image is returned instead. The file is
    /// not read then: it may have been replaced, or, if there is no plugin directory, deleted. To
    /// revoke a plugin, remove its digest from the policy or [`deny`](Self::deny) it.
    ///
    /// Blocks while it reads and hashes. In an asynchronous program call it from
    /// `tokio::task::spawn_blocking`.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Refused`] if the plugin may not run, [`VerifyError::Source`] if a source
    /// cannot be used, [`VerifyError::Unchecked`] if a file could not be read. Nothing is executed
    /// in any case.
    pub fn verify(&self, path: impl AsRef<Path>) -> Result<VerifiedPlugin, VerifyError> {
        self.decide(path).into_outcome()
    }

    /// As [`verify`](Self::verify), with a plugin name other than the file name.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn verify_as(&self, name: PluginName, path: impl AsRef<Path>) -> Result<VerifiedPlugin, VerifyError> {
        self.decide_as(name, path).into_outcome()
    }

    /// As [`verify`](Self::verify), and also returns the findings behind the answer.
    pub fn decide(&self, path: impl AsRef<Path>) -> Decision {
        self.examine(None, path.as_ref())
    }

    /// As [`decide`](Self::decide), with a plugin name other than the file name.
    pub fn decide_as(&self, name: PluginName, path: impl AsRef<Path>) -> Decision {
        self.examine(Some(name), path.as_ref())
    }

    pub(super) fn examine(&self, name: Option<PluginName>, path: &Path) -> Decision {
        let mut examination = Examination::new(self, name, path);
        let outcome = examination.run().map_err(|error| error.at(path));
        Decision::new(path, examination.findings, outcome)
    }

    pub(super) fn has_no_source(&self) -> bool {
        self.allowed.is_empty()
            && self.checksums.is_none()
            && self.lock.is_none()
            && self.manifests.is_empty()
            && self.keys.is_empty()
    }

    pub(super) fn size_limit(&self) -> u64 {
        self.limit.unwrap_or(Self::DEFAULT_SIZE_LIMIT)
    }

    /// Whether the policy trusts a key to sign manifests for the plugin.
    pub(super) fn wants_manifest(&self, name: &Option<PluginName>) -> bool {
        self.keys.iter().any(|trusted| match (&trusted.plugins, name) {
            (None, _) => true,
            (Some(plugins), Some(name)) => plugins.contains(name),
            (Some(_), None) => false,
        })
    }

    pub(super) fn keys_for(&self, name: &PluginName) -> Vec<PublicKey> {
        let trusted = self.keys.iter().filter(|key| key.plugins.as_ref().is_none_or(|plugins| plugins.contains(name)));
        trusted.map(|trusted| trusted.key).collect()
    }

    /// The digest of the manifest in the lock file, if the lock file pins a manifest.
    pub(super) fn pinned_manifest(&self, request: &Request<'_>) -> Option<Digest> {
        match self.lock.as_ref()?.artifact(request.known_name()?, &request.platform)?.subject {
            Subject::Manifest(digest) => Some(digest),
            Subject::File(_) => None,
        }
    }

    pub(super) fn minimum_version(&self, request: &Request<'_>) -> Option<Version> {
        let name = request.known_name()?;
        let locked = self.lock.as_ref().and_then(|lock| lock.plugin(name)?.minimum_version.as_ref());
        self.minimum.get(name).into_iter().chain(locked).max().cloned()
    }

    pub(super) fn bundle_directory(&self) -> PathBuf {
        match (&self.copies, &self.storage) {
            (Some(directory), _) | (None, ImageStorage::Directory(directory)) => directory.clone(),
            (None, _) => std::env::temp_dir(),
        }
    }
}
