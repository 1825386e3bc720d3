//! Plugins on disk held against a lock file: is everything there that was agreed to, and what is
//! there besides? The verdict on each is a policy's.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::verify::{Decision, ImageCache, Lock, Manifest, Platform, PluginName, Policy, SignedManifest, SourceKind};

/// How many entries of a directory are looked at.
const ENTRIES: usize = 100_000;

/// What there is of the plugins of a lock file that are for this machine, and what else there is.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inventory {
    /// Every plugin that is locked for this machine, in the order of their names.
    pub items: Vec<Item>,
    /// What lies in the directory, or was named, and is neither a plugin of the lock file nor
    /// belongs to one.
    pub unknown: Vec<PathBuf>,
    /// The plugins that are locked for other machines only.
    pub elsewhere: Vec<PluginName>,
}

/// One plugin of a lock file.
#[derive(Debug)]
#[non_exhaustive]
pub struct Item {
    /// The plugin.
    pub name: PluginName,
    /// What there is of it.
    pub presence: Presence,
}

/// What there is of a plugin.
#[derive(Debug)]
#[non_exhaustive]
pub enum Presence {
    /// Nothing.
    Missing,
    /// Something, and this is what a policy with the lock file says of it.
    Present(Box<Decision>),
}

impl Inventory {
    /// Looks for the plugins of `lock` in `directory`, under their names.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read, or has more than 100 000 entries.
    pub fn of_directory(lock: impl Into<Arc<Lock>>, directory: impl AsRef<Path>) -> io::Result<Self> {
        let (lock, directory) = (lock.into(), directory.as_ref());
        let mut present = Vec::new();
        for entry in fs::read_dir(directory)? {
            if present.len() == ENTRIES {
                return Err(io::Error::other(format!("it has more than {ENTRIES} entries")));
            }
            present.push(entry?.path());
        }
        present.sort_unstable();
        let own = lock.path().canonicalize().ok();
        present.retain(|path| own.is_none() || path.canonicalize().ok() != own);
        Ok(Self::of(lock, present))
    }

    /// Looks for the plugins of `lock` among `files`, by their file names.
    pub fn of_files(lock: impl Into<Arc<Lock>>, files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self::of(lock.into(), files.into_iter().collect())
    }

    fn of(lock: Arc<Lock>, mut present: Vec<PathBuf>) -> Self {
        let machine = Platform::current();
        let policy =
            Policy::new().with_lock(lock.clone()).require(SourceKind::Lock).with_cache(ImageCache::with_budget(0));
        let mut inventory = Self { items: Vec::new(), unknown: Vec::new(), elsewhere: Vec::new() };
        for (name, _) in lock.plugins() {
            if lock.artifact(name, &machine).is_none() {
                inventory.elsewhere.push(name.clone());
                continue;
            }
            let found: Vec<PathBuf> = present.extract_if(.., |path| is_called(path, name.as_str())).collect();
            if found.is_empty() {
                inventory.items.push(Item { name: name.clone(), presence: Presence::Missing });
            }
            for path in found {
                let decision = Box::new(policy.decide_as(name.clone(), path));
                inventory.items.push(Item { name: name.clone(), presence: Presence::Present(decision) });
            }
            // They say what the plugin is, and are looked at with it or not at all.
            present.retain(|path| !is_about(path, name));
        }
        inventory.unknown = present;
        inventory
    }
}

fn is_called(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|found| found == name)
}

/// Whether it is the manifest of the plugin, or the signature of that.
fn is_about(path: &Path, name: &PluginName) -> bool {
    let manifest = format!("{name}{}", Manifest::SUFFIX);
    is_called(path, &manifest) || is_called(path, &format!("{manifest}{}", SignedManifest::SUFFIX))
}
