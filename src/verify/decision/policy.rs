//! What the operator allows. A [`Policy`] is put together in code or read from a file; its answer
//! about a plugin is a [`Decision`], and the proof in it a [`VerifiedPlugin`]. Reads files;
//! executes nothing.

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

/// What may run. A new policy allows nothing. It is given sources, which say of exact bytes that
/// they may run: digests that it names itself ([`allow`](Self::allow)), a list of digests
/// ([`with_checksums`](Self::with_checksums)), a lock file ([`with_lock`](Self::with_lock)),
/// manifests signed by keys that it trusts ([`trust`](Self::trust)).
///
/// A plugin may run when at least one source vouches for it, every source that is required does
/// ([`require`](Self::require)), and nothing speaks against it: no two sources say different things
/// of it, none of its parts is denied ([`deny`](Self::deny)), and it lies where it must
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
/// Lock files and manifests go by the plugin's name: its file name, unless
/// [`verify_as`](Self::verify_as) is given another. Digests that the policy names itself do not: a
/// policy with several of them does not tie them to paths: any of them may run from wherever it is
/// verified. Use one policy for each plugin; they can share an [`ImageCache`]
/// ([`with_cache`](Self::with_cache)). A policy with a single digest relaunches from its cache, so
/// keep it for as long as the plugin is launched; so does one whose lock file or manifest names the
/// plugin. With several digests and nothing else the file has to be read each time to know which
/// one it is.
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

/// A key, and the plugins that its owner may vouch for.
#[derive(Debug, Clone)]
struct TrustedKey {
    key: PublicKey,
    /// `None`: all of them.
    plugins: Option<BTreeSet<PluginName>>,
}

/// Where the bytes are kept unchanged.
#[derive(Debug, Clone, Default)]
pub(super) enum ImageStorage {
    #[default]
    Memory,
    Directory(PathBuf),
    InPlace,
}

impl Policy {
    /// The largest file that is looked at unless another limit is set: 1 GiB.
    pub const DEFAULT_SIZE_LIMIT: u64 = limits::PLUGIN_BYTES;

    /// A policy that allows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows the bytes with this digest.
    pub fn allow(mut self, digest: Digest) -> Self {
        self.allowed.insert(digest);
        self
    }

    /// Denies the bytes with this digest, whoever vouches for them: a plugin's file, its manifest,
    /// or any file of it. This is how a bad release is revoked.
    pub fn deny(mut self, digest: Digest) -> Self {
        self.denied.insert(digest);
        self
    }

    /// Allows what was agreed to in a lock file, for this machine's platform.
    pub fn with_lock(mut self, lock: impl Into<Arc<Lock>>) -> Self {
        self.lock = Some(lock.into());
        self
    }

    /// Allows files by a list of digests, each under the name that the list has it by. A plugin
    /// that is a directory has no place in such a list.
    pub fn with_checksums(mut self, checksums: impl Into<Arc<Checksums>>) -> Self {
        self.checksums = Some(checksums.into());
        self
    }

    /// Allows the plugin that a signed manifest is about. It replaces one that would be found
    /// beside the plugin.
    pub fn with_manifest(mut self, manifest: SignedManifest) -> Self {
        self.manifests.insert(manifest.manifest().name().clone(), manifest);
        self
    }

    /// Allows every plugin that has a manifest signed by the owner of `key`: beside it if it is a
    /// file ([`Manifest::SUFFIX`](crate::verify::Manifest::SUFFIX)), in it if it is a directory
    /// ([`Manifest::INSIDE`](crate::verify::Manifest::INSIDE)). A plugin with a manifest that is not signed
    /// so is refused.
    pub fn trust(mut self, key: PublicKey) -> Self {
        self.keys.push(TrustedKey { key, plugins: None });
        self
    }

    /// The same for the plugins of these names only.
    pub fn trust_for(mut self, key: PublicKey, plugins: impl IntoIterator<Item = PluginName>) -> Self {
        self.keys.push(TrustedKey { key, plugins: Some(plugins.into_iter().collect()) });
        self
    }

    /// Refuses what a source of this kind does not vouch for. Several kinds can be required; all of
    /// them must vouch then.
    pub fn require(mut self, kind: SourceKind) -> Self {
        self.required.insert(kind);
        self
    }

    /// Refuses versions of a plugin below `minimum`, and versions that are not known. The lock
    /// file's own minimum counts as well.
    pub fn with_minimum_version(mut self, name: PluginName, minimum: Version) -> Self {
        self.minimum.insert(name, minimum);
        self
    }

    /// Takes plugins from below `directory` only, an absolute path.
    ///
    /// At each examination the way to the plugin is gone from the root, through open directories
    /// (openat2(2)): there must be no symbolic link on it, and everything on it must belong to root
    /// or to this process's user and be writable by nobody else ([`with_owners`](Self::with_owners)
    /// says who else may own things). Above the directory itself a sticky directory, as `/tmp` is,
    /// may be writable by all.
    pub fn with_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Who may own the plugin directory and what lies in it and above it.
    pub fn with_owners(mut self, owners: Owners) -> Self {
        self.owners = owners;
        self
    }

    /// Accepts only programs that are linked so: those of plugins, and interpreters.
    pub fn with_linkage(mut self, rule: LinkageRule) -> Self {
        self.linkage = rule;
        self
    }

    /// Puts the files of plugins that are directories into private directories below `parent`,
    /// instead of below the system's directory for temporary files or that of private copies.
    ///
    /// # Security
    ///
    /// Some interpreters look for modules in the directories above a program too: Node in every
    /// `node_modules` up to the root. For their plugins choose a `parent` above which nobody else
    /// may create anything; in the system's directory for temporary files everybody may.
    pub fn with_bundle_directory(mut self, parent: impl Into<PathBuf>) -> Self {
        self.copies = Some(parent.into());
        self
    }

    /// Refuses files of more than `limit` bytes before they are read, and directories whose files
    /// have more together.
    pub fn with_size_limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Shares `cache` instead of keeping images for this policy alone.
    pub fn with_cache(mut self, cache: ImageCache) -> Self {
        self.cache = cache;
        self
    }

    /// Runs plugins from copies in private directories below `parent` ([`ExecMode::PrivateCopy`]).
    ///
    /// For machines that forbid executing memory, and for plugins that look for themselves on disk.
    ///
    /// # Security
    ///
    /// Another process of the same user can change such a copy after it was hashed. Nobody else
    /// can: a directory in which others may rename what is there is refused.
    pub fn with_private_copy(mut self, parent: impl Into<PathBuf>) -> Self {
        self.storage = ImageStorage::Directory(parent.into());
        self
    }

    /// Runs plugins from the file itself, kept open ([`ExecMode::PinnedFd`]): for plugins that need
    /// the files that lie beside them.
    ///
    /// # Security
    ///
    /// The digest is that of the file at the time of the check. Whoever may write the file (root
    /// and this process's user, or the file is refused) can change it afterwards, and what runs is
    /// then not what was hashed.
    pub fn dangerous_with_pinned_fd(mut self) -> Self {
        self.storage = ImageStorage::InPlace;
        self
    }

    /// How the plugins that this policy verifies will be executed.
    pub fn mode(&self) -> ExecMode {
        match self.storage {
            ImageStorage::Memory => ExecMode::Sealed,
            ImageStorage::Directory(_) => ExecMode::PrivateCopy,
            ImageStorage::InPlace => ExecMode::PinnedFd,
        }
    }

    /// Returns allowed bytes for a launch: those of the file, read, kept unchanged and hashed; or,
    /// if it is known beforehand which digest is meant and an image with it is in the cache, that
    /// image.
    ///
    /// In the second case the content of the file is not looked at: it may have been replaced, and
    /// the bytes with the digest run all the same. Unless there is a plugin directory, not even its
    /// path is: it may have been deleted. To take a plugin out of use, take its digest out of the
    /// policy, or [`deny`](Self::deny) it.
    ///
    /// Reading and hashing block. In an asynchronous program call this where blocking is allowed
    /// (`tokio::task::spawn_blocking`).
    ///
    /// # Errors
    ///
    /// [`VerifyError::Refused`] when the plugin may not run, [`VerifyError::Source`] when what
    /// should say so cannot be used, [`VerifyError::Unchecked`] when it could not be found out.
    /// Nothing was executed in any case.
    pub fn verify(&self, path: impl AsRef<Path>) -> Result<VerifiedPlugin, VerifyError> {
        self.decide(path).into_outcome()
    }

    /// The same under another name than the file's own.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn verify_as(&self, name: PluginName, path: impl AsRef<Path>) -> Result<VerifiedPlugin, VerifyError> {
        self.decide_as(name, path).into_outcome()
    }

    /// Does what [`verify`](Self::verify) does, and tells what the answer rests on.
    pub fn decide(&self, path: impl AsRef<Path>) -> Decision {
        self.examine(None, path.as_ref())
    }

    /// The same under another name than the file's own.
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

    /// Whether anybody is trusted to sign a manifest for the plugin.
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

    /// The digest of the manifest that was agreed to in the lock file, if it was a manifest.
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
