//! A plugin that is a directory: every file of its manifest is copied into a private directory,
//! hashed there and made read-only. The directory has no other files. Does not decide whether the
//! manifest is trusted.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::fs::PrivateDirectory;
use crate::verify::Refusal;
use crate::verify::bytes::image::{private_directory, same_file};
use crate::verify::bytes::plugin_file::is_noexec;
use crate::verify::bytes::tree::DirectoryTree;
use crate::verify::decision::error::ExamineError;
use crate::verify::{BundlePath, Digest, Manifest, ManifestFile};

/// The verified files of one plugin, in a directory that only this process's user may enter.
/// Removed when this value is dropped.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// A directory inside the private one, so that the plugin finds only its own files where it
    /// searches for modules.
    path: PathBuf,
    #[expect(dead_code, reason = "dropping it removes the files")]
    directory: PrivateDirectory,
}

/// The name of the directory inside the private one.
const NAME: &str = "plugin";

impl Bundle {
    /// Copies the files that `manifest` names from `tree` to a new directory below `parent`.
    pub(crate) fn materialise(tree: &DirectoryTree, manifest: &Manifest, parent: &Path) -> Result<Self, ExamineError> {
        let directory = private_directory(parent)?.removed_on_drop(entries(manifest));
        let bundle = Self { path: directory.path().join(NAME), directory };
        make_directory(&bundle.path)?;
        for (path, expected) in manifest.files() {
            bundle.take(tree, path, *expected, path == manifest.program())?;
        }
        bundle.close(manifest).map_err(ExamineError::io("making its files read-only"))?;
        Ok(bundle)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A file of the bundle, open for reading.
    pub(crate) fn open(&self, path: &BundlePath) -> Result<File, ExamineError> {
        open(&self.path.join(path)).map_err(ExamineError::io("opening its private copy"))
    }

    fn take(
        &self,
        tree: &DirectoryTree,
        path: &BundlePath,
        expected: ManifestFile,
        is_program: bool,
    ) -> Result<(), ExamineError> {
        let source = tree.file(path.as_ref()).map_err(|error| match error {
            ExamineError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Refusal::FileMissing { path: path.clone() }.into()
            }
            other => other.within(path),
        })?;
        if is_noexec(&source).map_err(ExamineError::io("looking at its mount"))? {
            return Err(ExamineError::from(Refusal::NoexecMount).within(path));
        }
        let target = self.path.join(path);
        make_directory(target.parent().unwrap_or(&self.path))?;
        let mode = if expected.executable || is_program { 0o500 } else { 0o400 };
        let copied = copy(source, &target, expected.size, mode).map_err(ExamineError::io("copying its files"))?;
        if copied.size() != expected.size {
            return Err(Refusal::FileSize { path: path.clone(), expected: expected.size }.into());
        }
        let file = open(&target).map_err(ExamineError::io("opening its private copy"))?;
        same_file(&file, &copied).map_err(ExamineError::io("finding its private copy again"))?;
        let actual = Digest::of_file(&file).map_err(ExamineError::io("hashing its files"))?;
        match actual == expected.digest {
            true => Ok(()),
            false => Err(Refusal::FileDigest { path: path.clone(), expected: expected.digest, actual }.into()),
        }
    }

    /// Makes all directories read-only.
    fn close(&self, manifest: &Manifest) -> io::Result<()> {
        for directory in directories(manifest).into_iter().rev() {
            fs::set_permissions(self.path.join(directory), Permissions::from_mode(0o500))?;
        }
        Ok(())
    }
}

/// The number of files and directories of a bundle.
fn entries(manifest: &Manifest) -> usize {
    manifest.files().len() + directories(manifest).len()
}

/// The directories of a plugin's files, outermost first. The plugin's own directory is `""`.
fn directories(manifest: &Manifest) -> BTreeSet<&str> {
    manifest.files().flat_map(|(path, _)| path.directories()).chain([""]).collect()
}

fn make_directory(path: &Path) -> Result<(), ExamineError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(ExamineError::io("making a directory for its files"))
}

/// Copies at most one byte more than expected, which is enough to notice a wrong size. The source
/// may grow during the copy.
fn copy(source: File, target: &Path, size: u64, mode: u32) -> io::Result<fs::Metadata> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target)?;
    io::copy(&mut source.take(size.saturating_add(1)), &mut file)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.metadata()
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authoring::Claims;
    use crate::verify::Version;

    /// The number of files and directories at `path`, including itself.
    fn count(path: &Path) -> usize {
        let inside = fs::read_dir(path).into_iter().flatten();
        1 + inside.map(|entry| count(&entry.unwrap().path())).sum::<usize>()
    }

    #[test]
    fn every_created_entry_is_removed_on_drop() {
        let place = tempfile::tempdir().unwrap();
        let plugin = place.path().join("plugin");
        fs::create_dir_all(plugin.join("lib/deep")).unwrap();
        for file in ["run", "lib/module", "lib/deep/data", "lib/deep/more"] {
            fs::write(plugin.join(file), file).unwrap();
        }
        let claims = Claims::new("plugin".parse().unwrap(), Version::new(1, 0, 0)).with_program("run".parse().unwrap());
        let manifest = Manifest::from_bytes("manifest", claims.describe(&plugin).unwrap()).unwrap();
        let bundle =
            Bundle::materialise(&DirectoryTree::open_anywhere(&plugin).unwrap(), &manifest, place.path()).unwrap();
        assert_eq!((count(bundle.path()), entries(&manifest)), (7, 7));
    }
}
