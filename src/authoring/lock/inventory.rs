//! Compares files on disk with a lock: which locked plugins are present, which are missing, and
//! which files belong to none. A policy decides about each plugin.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::limits::authoring::INVENTORY_ENTRIES as ENTRIES;
use crate::verify::{Decision, ImageCache, Lock, Manifest, Platform, PluginName, Policy, SignedManifest, SourceKind};

/// The plugins of a lock as they are on disk.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inventory {
    /// Each plugin that is locked for this machine, sorted by name.
    pub items: Vec<InventoryItem>,
    /// Each file that is not a locked plugin, its manifest or its signature.
    pub unknown: Vec<PathBuf>,
    /// The plugins that are locked for other platforms only.
    pub elsewhere: Vec<PluginName>,
}

/// One locked plugin.
#[derive(Debug)]
#[non_exhaustive]
pub struct InventoryItem {
    /// The name of the plugin.
    pub name: PluginName,
    /// Whether it is present, and allowed.
    pub status: InventoryStatus,
}

/// Whether a locked plugin is present.
#[derive(Debug)]
#[non_exhaustive]
pub enum InventoryStatus {
    /// No file has its name.
    Missing,
    /// A file or directory has its name, and this is the decision of a policy with the lock.
    Present(Box<Decision>),
}

impl Inventory {
    /// Looks for the plugins of `lock` in `directory`, by name.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read, or has more than 100 000 entries.
    pub fn of_directory(lock: impl Into<Arc<Lock>>, directory: impl AsRef<Path>) -> io::Result<Self> {
        let (lock, directory) = (lock.into(), directory.as_ref());
        let mut present = Vec::new();
        for entry in fs::read_dir(directory)? {
            if present.len() == ENTRIES {
                return Err(io::Error::other(format!("the directory has more than {ENTRIES} entries")));
            }
            present.push(entry?.path());
        }
        present.sort_unstable();
        let own = lock.path().canonicalize().ok();
        present.retain(|path| own.is_none() || path.canonicalize().ok() != own);
        Ok(Self::of(lock, present))
    }

    /// Looks for the plugins of `lock` among `files`, by file name.
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
            let found: Vec<PathBuf> = present.extract_if(.., |path| has_name(path, name.as_str())).collect();
            if found.is_empty() {
                inventory.items.push(InventoryItem { name: name.clone(), status: InventoryStatus::Missing });
            }
            for path in found {
                let decision = Box::new(policy.decide_as(name.clone(), path));
                inventory.items.push(InventoryItem { name: name.clone(), status: InventoryStatus::Present(decision) });
            }
            // The manifest and its signature are checked with the plugin.
            present.retain(|path| !is_manifest_of(path, name));
        }
        inventory.unknown = present;
        inventory
    }
}

fn has_name(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|found| found == name)
}

/// Whether `path` is the manifest of the plugin or the signature of the manifest.
fn is_manifest_of(path: &Path, name: &PluginName) -> bool {
    let manifest = format!("{name}{}", Manifest::SUFFIX);
    has_name(path, &manifest) || has_name(path, &format!("{manifest}{}", SignedManifest::SUFFIX))
}
