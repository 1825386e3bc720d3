//! A directory that plugins are taken from, held open: nothing outside it can be reached through
//! it, and no link is followed on the way. With ownership rules, no other user may write to any
//! directory of the path either. Reads no file.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

use crate::fs::{Ownership, kind_unless_regular};
use crate::limits::verify as limits;
use crate::verify::Refusal;
use crate::verify::bytes::owners::Owners;
use crate::verify::decision::error::ExamineError;

/// An open directory.
#[derive(Debug)]
pub(crate) struct DirectoryTree {
    handle: OwnedFd,
    path: PathBuf,
    owners: Option<Owners>,
}

impl DirectoryTree {
    /// Opens the directory at an absolute path, step by step from the root: each step is looked at
    /// through the descriptor that the next one starts from, so that nothing can be exchanged in
    /// between.
    pub(crate) fn open(path: &Path, owners: &Owners) -> Result<Self, ExamineError> {
        let not_absolute = || ExamineError::from(Refusal::DirectoryNotAbsolute { directory: path.to_path_buf() });
        let mut components = path.components();
        if components.next() != Some(Component::RootDir) {
            return Err(not_absolute());
        }
        let root = rustix::fs::open("/", DIRECTORY, Mode::empty()).map_err(ExamineError::io("opening /"))?;
        let mut tree = Self { handle: root, path: "/".into(), owners: Some(owners.clone()) };
        tree.check(StepKind::Above)?;
        for component in components {
            let Component::Normal(name) = component else { return Err(not_absolute()) };
            tree = tree.enter(name)?;
            tree.check(StepKind::Above)?;
        }
        tree.check(StepKind::Within)?;
        Ok(tree)
    }

    /// Opens a directory without rules for its owners.
    pub(crate) fn open_anywhere(path: &Path) -> Result<Self, ExamineError> {
        let handle = rustix::fs::openat(CWD, path, DIRECTORY, Mode::empty()).map_err(ExamineError::io("opening it"))?;
        Ok(Self { handle, path: path.to_path_buf(), owners: None })
    }

    /// The path that `path` has beneath this directory: it is relative, or begins with the
    /// directory's own path, and has no `..`.
    pub(crate) fn beneath<'a>(&self, path: &'a Path) -> Result<&'a Path, ExamineError> {
        let outside = || ExamineError::from(Refusal::OutsideDirectory { directory: self.path.clone() });
        let relative = if path.is_absolute() { path.strip_prefix(&self.path).map_err(|_| outside())? } else { path };
        let plain = relative.components().all(|step| matches!(step, Component::Normal(_)));
        if plain && !relative.as_os_str().is_empty() { Ok(relative) } else { Err(outside()) }
    }

    /// The directory at a relative path of plain names.
    pub(crate) fn subtree(&self, relative: &Path) -> Result<Self, ExamineError> {
        let mut names = names(relative, &self.path)?.into_iter();
        // A duplicate handle, so that the walk can start with an owned directory.
        let handle = self.handle.try_clone().map_err(ExamineError::io("opening it"))?;
        let start = Self { handle, path: self.path.clone(), owners: self.owners.clone() };
        names.try_fold(start, |tree, name| {
            let tree = tree.enter(name)?;
            tree.check(StepKind::Within)?;
            Ok(tree)
        })
    }

    /// Opens the file or directory at a relative path of plain names.
    pub(crate) fn find(&self, relative: &Path) -> Result<TreeEntry, ExamineError> {
        let names = names(relative, &self.path)?;
        let Some((last, above)) = names.split_last() else { return Err(outside(&self.path)) };
        let above: PathBuf = above.iter().collect();
        match above.as_os_str().is_empty() {
            true => self.take(last),
            false => self.subtree(&above)?.take(last),
        }
    }

    /// The regular file at a relative path of plain names.
    pub(crate) fn file(&self, relative: &Path) -> Result<File, ExamineError> {
        match self.find(relative)? {
            TreeEntry::File(file) => Ok(file),
            TreeEntry::Directory(_) => Err(Refusal::NotRegular { kind: "a directory" }.into()),
        }
    }

    /// Whether the directory has no entry with this name.
    pub(crate) fn lacks(&self, name: &OsStr) -> Result<bool, ExamineError> {
        match rustix::fs::statat(&self.handle, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(false),
            Err(Errno::NOENT) => Ok(true),
            Err(error) => Err(ExamineError::io("looking for its manifest")(error)),
        }
    }

    fn take(&self, name: &OsStr) -> Result<TreeEntry, ExamineError> {
        // Opened with O_PATH first: opening a device for reading can have side effects.
        let handle = self.open_step(name, OFlags::PATH | OFlags::NOFOLLOW)?;
        let seen = File::from(handle).metadata().map_err(ExamineError::io("looking at it"))?;
        let kind = match seen.file_type() {
            kind if kind.is_dir() => {
                let tree = self.enter(name)?;
                tree.check(StepKind::Within)?;
                return Ok(TreeEntry::Directory(tree));
            }
            kind if kind.is_symlink() => return Err(Refusal::Symlink { path: self.path.join(name) }.into()),
            kind => kind_unless_regular(kind),
        };
        if let Some(kind) = kind {
            return Err(Refusal::NotRegular { kind }.into());
        }
        let file = File::from(self.open_step(name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?);
        let metadata = file.metadata().map_err(ExamineError::io("looking at it"))?;
        if (metadata.dev(), metadata.ino()) != (seen.dev(), seen.ino()) {
            let source = io::Error::other("the file was replaced while it was opened");
            return Err(ExamineError::io("opening it")(source));
        }
        if let Some(owners) = &self.owners {
            owners.check(&self.path.join(name), metadata.uid(), metadata.mode())?;
        }
        Ok(TreeEntry::File(file))
    }

    fn enter(&self, name: &OsStr) -> Result<Self, ExamineError> {
        let handle = self.open_step(name, DIRECTORY)?;
        Ok(Self { handle, path: self.path.join(name), owners: self.owners.clone() })
    }

    /// Opens one component. It cannot lead up, out of the directory, or through a link of any kind
    /// (openat2(2), Linux 5.6).
    fn open_step(&self, name: &OsStr, flags: OFlags) -> Result<OwnedFd, ExamineError> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        // With O_PATH a link itself is opened, so that it is reported as a link and not as missing.
        let resolve = if flags.contains(OFlags::PATH) { resolve - ResolveFlags::NO_SYMLINKS } else { resolve };
        for _ in 0..limits::OPENAT2_ATTEMPTS {
            match openat2(self.handle.as_fd(), name, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Ok(handle) => return Ok(handle),
                Err(Errno::AGAIN) => {}
                Err(Errno::LOOP) => return Err(Refusal::Symlink { path: self.path.join(name) }.into()),
                Err(error) => return Err(ExamineError::io("opening it beneath its directory")(error)),
            }
        }
        Err(ExamineError::io("opening it beneath its directory")(Errno::AGAIN))
    }

    fn check(&self, step: StepKind) -> Result<(), ExamineError> {
        let Some(owners) = &self.owners else { return Ok(()) };
        let status = rustix::fs::fstat(&self.handle).map_err(ExamineError::io("looking at its directory"))?;
        // Above the plugin directory others must not be able to rename entries. In a sticky
        // directory they cannot (unlink(2)), so write permission is acceptable there.
        let found = Ownership::new(status.st_uid, status.st_mode);
        let mode = if step == StepKind::Above { found.rename_mode() } else { found.mode };
        owners.check(&self.path, found.owner, mode)
    }
}

/// An open entry of a directory.
#[derive(Debug)]
pub(crate) enum TreeEntry {
    File(File),
    Directory(DirectoryTree),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StepKind {
    Above,
    Within,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

fn names<'a>(relative: &'a Path, directory: &Path) -> Result<Vec<&'a OsStr>, ExamineError> {
    let name = |step| match step {
        Component::Normal(name) => Ok(name),
        _ => Err(outside(directory)),
    };
    relative.components().map(name).collect()
}

fn outside(directory: &Path) -> ExamineError {
    Refusal::OutsideDirectory { directory: directory.to_path_buf() }.into()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::os::unix::net::UnixListener;

    use rustix::fs::{FileType, mknodat};

    use super::*;

    /// A plugin directory with `kv` and `sub/kv` in it.
    struct Fixture {
        _place: tempfile::TempDir,
        directory: PathBuf,
    }

    impl Fixture {
        fn new() -> Self {
            let place = tempfile::tempdir().unwrap();
            let directory = place.path().canonicalize().unwrap().join("plugins");
            fs::create_dir_all(directory.join("sub")).unwrap();
            for file in ["kv", "sub/kv"] {
                fs::write(directory.join(file), file).unwrap();
            }
            for (path, mode) in [(".", 0o755), ("sub", 0o755), ("kv", 0o755), ("sub/kv", 0o755)] {
                set_mode(&directory.join(path), mode);
            }
            Self { _place: place, directory }
        }

        fn find(&self, path: impl AsRef<Path>) -> Result<TreeEntry, Refusal> {
            let found = DirectoryTree::open(&self.directory, &Owners::root_and_host()).and_then(|tree| {
                let relative = tree.beneath(path.as_ref())?;
                tree.find(relative)
            });
            found.map_err(|error| match error {
                ExamineError::Refusal(refusal) => refusal,
                other => panic!("{other:?}"),
            })
        }

        fn text(&self, path: impl AsRef<Path>) -> String {
            match self.find(path).unwrap() {
                TreeEntry::File(file) => io::read_to_string(file).unwrap(),
                TreeEntry::Directory(tree) => panic!("{tree:?}"),
            }
        }
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn file_is_found_by_relative_and_full_path() {
        let fixture = Fixture::new();
        assert_eq!(fixture.text("kv"), "kv");
        assert_eq!(fixture.text("sub/kv"), "sub/kv");
        assert_eq!(fixture.text("sub//./kv"), "sub/kv");
        assert_eq!(fixture.text(fixture.directory.join("sub/kv")), "sub/kv");
        assert!(matches!(fixture.find("sub"), Ok(TreeEntry::Directory(_))));
    }

    #[test]
    fn no_path_leads_out() {
        let fixture = Fixture::new();
        let outside = Refusal::OutsideDirectory { directory: fixture.directory.clone() };
        let sibling = format!("{}-other/kv", fixture.directory.display());
        let tree = DirectoryTree::open_anywhere(&fixture.directory).unwrap();
        for path in
            ["../kv", "sub/../kv", "sub/../../kv", "/bin/sh", "/proc/self/exe", "..", ".", "", "./../kv", &sibling]
        {
            assert_eq!(fixture.find(path).unwrap_err(), outside, "{path:?}");
            assert!(tree.beneath(Path::new(path)).is_err(), "{path:?}");
        }
        assert_eq!(fixture.find(&fixture.directory).unwrap_err(), outside);
    }

    #[test]
    fn no_symlink_is_followed() {
        let fixture = Fixture::new();
        let link = |target: &str, name: &str| {
            let path = fixture.directory.join(name);
            symlink(target, &path).unwrap();
            Refusal::Symlink { path }
        };
        let refused = link("kv", "to-kv");
        assert_eq!(fixture.find("to-kv").unwrap_err(), refused);
        let refused = link("/bin/sh", "out");
        assert_eq!(fixture.find("out").unwrap_err(), refused);
        let refused = link("/proc/self/exe", "magic");
        assert_eq!(fixture.find("magic").unwrap_err(), refused);
        let refused = link("sub", "to-sub");
        assert_eq!(fixture.find("to-sub/kv").unwrap_err(), refused);
        let refused = link("nowhere", "dangling");
        assert_eq!(fixture.find("dangling").unwrap_err(), refused);
    }

    #[test]
    fn symlinked_plugin_directory_is_refused() {
        let fixture = Fixture::new();
        let owners = Owners::root_and_host();
        let tree = DirectoryTree::open(&fixture.directory, &owners).unwrap();
        let aside = fixture.directory.with_file_name("aside");
        fs::rename(&fixture.directory, &aside).unwrap();
        symlink("/bin", &fixture.directory).unwrap();
        assert!(matches!(
            DirectoryTree::open(&fixture.directory, &owners),
            Err(ExamineError::Refusal(Refusal::Symlink { .. }))
        ));
        assert_eq!(io::read_to_string(tree.file(Path::new("kv")).unwrap()).unwrap(), "kv");
    }

    #[test]
    fn any_component_writable_by_others_is_refused() {
        let fixture = Fixture::new();
        for (step, mode) in [("kv", 0o775), ("kv", 0o757), (".", 0o777), (".", 0o1777), ("../", 0o777)] {
            let path = fixture.directory.join(step);
            let before = fs::metadata(&path).unwrap().permissions();
            set_mode(&path, mode);
            let refusal = fixture.find("kv").unwrap_err();
            assert!(
                matches!(refusal, Refusal::UntrustedOwner { mode: found, .. } if found == mode),
                "{step}: {refusal:?}"
            );
            fs::set_permissions(&path, before).unwrap();
        }
        set_mode(&fixture.directory.join("sub"), 0o770);
        assert!(matches!(fixture.find("sub/kv"), Err(Refusal::UntrustedOwner { mode: 0o770, .. })));
        assert_eq!(fixture.text("kv"), "kv");
    }

    #[test]
    fn above_the_directory_sticky_is_good_enough() {
        let fixture = Fixture::new();
        set_mode(fixture.directory.parent().unwrap(), 0o1777);
        assert_eq!(fixture.text("kv"), "kv");
    }

    #[test]
    fn foreign_owner_is_refused_unless_allowed() {
        let fixture = Fixture::new();
        let somebody = 12345;
        if let Err(error) = chown(fixture.directory.join("kv"), Some(somebody), None) {
            eprintln!("SKIPPED: only root can give a file away: {error}");
            return;
        }
        let refusal = fixture.find("kv").unwrap_err();
        assert!(matches!(refusal, Refusal::UntrustedOwner { owner: 12345, .. }), "{refusal:?}");
        let tree = DirectoryTree::open(&fixture.directory, &Owners::only([0, somebody])).unwrap();
        assert!(tree.file(Path::new("kv")).is_ok());
        assert!(matches!(
            DirectoryTree::open(&fixture.directory, &Owners::only([somebody])),
            Err(ExamineError::Refusal(_))
        ));
    }

    #[test]
    fn mode_outside_the_rule_is_refused() {
        let fixture = Fixture::new();
        set_mode(&fixture.directory.join("kv"), 0o755);
        let closed = Owners::root_and_host().with_mode(0o7750 | 0o1005);
        let tree = DirectoryTree::open(&fixture.directory, &closed).unwrap();
        assert!(tree.file(Path::new("kv")).is_ok());
        let stricter = DirectoryTree { owners: Some(Owners::root_and_host().with_mode(0o750)), ..tree };
        assert!(stricter.file(Path::new("kv")).is_err());
    }

    #[test]
    fn only_regular_files_are_opened_and_nothing_blocks() {
        let fixture = Fixture::new();
        mknodat(CWD, fixture.directory.join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o700), 0).unwrap();
        let _listener = UnixListener::bind(fixture.directory.join("socket")).unwrap();
        assert_eq!(fixture.find("fifo").unwrap_err(), Refusal::NotRegular { kind: "a FIFO" });
        assert_eq!(fixture.find("socket").unwrap_err(), Refusal::NotRegular { kind: "a socket" });
        let devices = DirectoryTree::open_anywhere(Path::new("/dev")).unwrap();
        let device = devices.find(Path::new("null"));
        assert!(matches!(device, Err(ExamineError::Refusal(Refusal::NotRegular { kind: "a device" }))), "{device:?}");
        // A FIFO that takes a file's place at the last moment would not block either.
        let Ok(TreeEntry::File(file)) = fixture.find("kv") else { panic!() };
        assert!(rustix::fs::fcntl_getfl(file).unwrap().contains(OFlags::NONBLOCK));
    }

    #[test]
    fn plugin_directory_needs_plain_absolute_path() {
        for path in ["plugins", "", "/tmp/../tmp", "./x"] {
            let refused = DirectoryTree::open(Path::new(path), &Owners::root_and_host());
            assert!(matches!(refused, Err(ExamineError::Refusal(Refusal::DirectoryNotAbsolute { .. }))), "{path}");
        }
    }
}
