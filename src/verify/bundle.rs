//! A plugin that is a directory: every file of its manifest copied to a private place, hashed there and made read-only, and nothing else
//! put beside it. Does not decide whether the manifest is to be believed.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tempfile::TempDir;

use super::error::{Obstacle, Refusal};
use super::image::same_file;
use super::place::{PlaceFault, trusted};
use super::source::is_noexec;
use super::tree::Tree;
use super::{BundlePath, Digest, Manifest, ManifestFile};

/// The verified files of one plugin, in a directory that only this process's user may enter. Removed when this value is dropped.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// There until the drop.
    directory: Option<TempDir>,
    path: PathBuf,
}

impl Bundle {
    /// Copies the files that `manifest` names from `tree` to a new directory below `parent`.
    pub(super) fn materialise(tree: &Tree, manifest: &Manifest, parent: &Path) -> Result<Self, Obstacle> {
        let parent = trusted(parent).map_err(|fault| match fault {
            PlaceFault::Open { directory, owner, mode } => Refusal::OpenDirectory { directory, owner, mode }.into(),
            PlaceFault::Io(error) => Obstacle::io("looking at the directory for its private copy")(error),
        })?;
        let directory = tempfile::Builder::new()
            .prefix("portcullis-bundle-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&parent)
            .map_err(Obstacle::io("making a directory for its files"))?;
        let bundle = Self { path: directory.path().to_path_buf(), directory: Some(directory) };
        for (path, expected) in manifest.files() {
            bundle.take(tree, path, *expected, path == manifest.program())?;
        }
        bundle.close(manifest).map_err(Obstacle::io("making its files read-only"))?;
        Ok(bundle)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file of the bundle, open for reading.
    pub(super) fn open(&self, path: &BundlePath) -> Result<File, Obstacle> {
        open(&self.path.join(path)).map_err(Obstacle::io("opening its private copy"))
    }

    fn take(&self, tree: &Tree, path: &BundlePath, expected: ManifestFile, is_program: bool) -> Result<(), Obstacle> {
        let source = tree.file(path.as_ref()).map_err(|obstacle| obstacle.within(path))?;
        if is_noexec(&source).map_err(Obstacle::io("looking at its mount"))? {
            return Err(Refusal::NoexecMount.into());
        }
        let target = self.path.join(path);
        let mut above = DirBuilder::new();
        let above = above.recursive(true).mode(0o700);
        above
            .create(target.parent().unwrap_or(&self.path))
            .map_err(Obstacle::io("making a directory for its files"))?;
        let mode = if expected.executable || is_program { 0o500 } else { 0o400 };
        let copied = copy(source, &target, expected.size, mode).map_err(Obstacle::io("copying its files"))?;
        if copied.size() != expected.size {
            return Err(Refusal::FileSize { path: path.clone(), expected: expected.size }.into());
        }
        let file = open(&target).map_err(Obstacle::io("opening its private copy"))?;
        same_file(&file, &copied).map_err(Obstacle::io("finding its private copy again"))?;
        let actual = Digest::of_file(&file).map_err(Obstacle::io("hashing its files"))?;
        match actual == expected.digest {
            true => Ok(()),
            false => Err(Refusal::FileDigest { path: path.clone(), expected: expected.digest, actual }.into()),
        }
    }

    /// Lets nothing more be put into any directory of it.
    fn close(&self, manifest: &Manifest) -> io::Result<()> {
        let mut directories: Vec<_> = manifest.files().flat_map(|(path, _)| path.directories()).collect();
        directories.sort_unstable();
        directories.dedup();
        // From the inside out, although this process's user could go on either way.
        for directory in directories.into_iter().rev() {
            fs::set_permissions(self.path.join(directory), Permissions::from_mode(0o500))?;
        }
        fs::set_permissions(&self.path, Permissions::from_mode(0o500))
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let Some(directory) = self.directory.take() else { return };
        // Nothing can be removed from a directory that may not be written. What cannot be removed stays.
        let _ = reopen(&self.path);
        let _ = directory.close();
    }
}

/// Makes a directory and those in it writable for their owner, without following a link.
fn reopen(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            reopen(&entry.path())?;
        }
    }
    Ok(())
}

/// Writes at most one byte more than expected, and closes what was written: the limit holds for what is copied, not for what was promised.
fn copy(source: File, target: &Path, size: u64, mode: u32) -> io::Result<fs::Metadata> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target)?;
    io::copy(&mut source.take(size.saturating_add(1)), &mut file)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.metadata()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path)
}
