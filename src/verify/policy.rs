//! What the operator allows, and the only place where a [`VerifiedPlugin`] is made. Reads files; executes nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{Obstacle, Refusal};
use super::image::{ExecMode, Image};
use super::source::Source;
use super::{Digest, ImageCache, VerifyError};

/// What may run. A new policy allows nothing; each digest that is added allows exactly the bytes that have it.
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
/// A policy with several digests does not tie them to paths: any of them may run from wherever it is verified. Use one policy for each
/// plugin; they can share an [`ImageCache`] ([`with_cache`](Self::with_cache)). A policy with a single digest relaunches from its cache, so
/// keep it for as long as the plugin is launched. With several digests the file has to be read each time to know which one it is.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    allowed: BTreeSet<Digest>,
    limit: Option<u64>,
    place: Place,
    cache: ImageCache,
}

/// Where the bytes are kept unchanged.
#[derive(Debug, Clone, Default)]
enum Place {
    #[default]
    Memory,
    Directory(PathBuf),
    WhereTheyLie,
}

impl Policy {
    /// The largest file that is looked at unless another limit is set: 1 GiB.
    pub const DEFAULT_SIZE_LIMIT: u64 = 1024 * 1024 * 1024;

    /// A policy that allows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows the bytes with this digest.
    pub fn allow(mut self, digest: Digest) -> Self {
        self.allowed.insert(digest);
        self
    }

    /// Refuses files of more than `limit` bytes before they are read.
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
    /// Another process of the same user can change such a copy after it was hashed. Nobody else can: a directory in which others may rename
    /// what is there is refused.
    pub fn with_private_copy(mut self, parent: impl Into<PathBuf>) -> Self {
        self.place = Place::Directory(parent.into());
        self
    }

    /// Runs plugins from the file itself, kept open ([`ExecMode::PinnedFd`]): for plugins that need the files that lie beside them.
    ///
    /// # Security
    ///
    /// The digest is that of the file at the time of the check. Whoever may write the file (root and this process's user, or the file
    /// is refused) can change it afterwards, and what runs is then not what was hashed.
    pub fn dangerous_with_pinned_fd(mut self) -> Self {
        self.place = Place::WhereTheyLie;
        self
    }

    /// How the plugins that this policy verifies will be executed.
    pub fn mode(&self) -> ExecMode {
        match self.place {
            Place::Memory => ExecMode::Sealed,
            Place::Directory(_) => ExecMode::PrivateCopy,
            Place::WhereTheyLie => ExecMode::PinnedFd,
        }
    }

    /// Returns allowed bytes for a launch: those of the file, read, kept unchanged and hashed; or, if this policy allows a single digest
    /// and has an image with it in its cache, that image.
    ///
    /// In the second case nothing at the path is looked at: it may have been replaced or deleted, and the bytes with the digest run all
    /// the same. To take a plugin out of use, take its digest out of the policy.
    ///
    /// Reading and hashing block. In an asynchronous program call this where blocking is allowed (`tokio::task::spawn_blocking`).
    ///
    /// # Errors
    ///
    /// [`VerifyError::Refused`] when the file may not run, [`VerifyError::Unchecked`] when that could not be found out. Nothing was
    /// executed in either case.
    pub fn verify(&self, path: impl AsRef<Path>) -> Result<VerifiedPlugin, VerifyError> {
        let path = path.as_ref();
        let (image, cached) = self.image(path).map_err(|obstacle| obstacle.at(path))?;
        Ok(VerifiedPlugin { image, path: path.to_path_buf(), cached })
    }

    fn image(&self, path: &Path) -> Result<(Arc<Image>, bool), Obstacle> {
        let mut allowed = self.allowed.iter();
        match (allowed.next(), allowed.next()) {
            (None, _) => Err(Refusal::NothingAllowed.into()),
            // With a single digest it is known before the file is looked at which image is meant.
            (Some(digest), None) if matches!(self.place, Place::Memory) => {
                self.cache.find_or(*digest, || self.examine(path))
            }
            _ => Ok((self.examine(path)?, false)),
        }
    }

    fn examine(&self, path: &Path) -> Result<Arc<Image>, Obstacle> {
        let source = Source::open(path, self.limit.unwrap_or(Self::DEFAULT_SIZE_LIMIT))?;
        let image = match &self.place {
            Place::Memory => Image::sealed(&source, path)?,
            Place::Directory(parent) => Image::private_copy(&source, path, parent)?,
            Place::WhereTheyLie => Image::pinned(source)?,
        };
        if !self.allowed.contains(&image.digest) {
            let expected = self.allowed.iter().copied().collect();
            return Err(Refusal::DigestMismatch { expected, actual: image.digest }.into());
        }
        image.check_format()?;
        Ok(Arc::new(image))
    }
}

/// A plugin whose bytes a [`Policy`] allows, together with those bytes: what was hashed is what will run.
///
/// Only [`Policy::verify`] makes one:
///
/// ```compile_fail
/// use portcullis::verify::VerifiedPlugin;
/// let forged = VerifiedPlugin { path: "/bin/sh".into() };
/// ```
///
/// A clone is the same proof over the same bytes, for another launch.
#[derive(Debug, Clone)]
pub struct VerifiedPlugin {
    pub(crate) image: Arc<Image>,
    path: PathBuf,
    cached: bool,
}

impl VerifiedPlugin {
    /// The digest of the bytes that will run.
    pub fn digest(&self) -> Digest {
        self.image.digest
    }

    /// How they are kept unchanged until then.
    pub fn mode(&self) -> ExecMode {
        self.image.mode
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.image.size
    }

    /// The file as it was named to [`Policy::verify`]. For people and for `argv[0]`: it is not opened again.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the image was in the cache, so that the file was neither read nor hashed this time.
    pub fn was_cached(&self) -> bool {
        self.cached
    }
}
