//! Whether another user can change where a path leads. Reads owners and modes of the directories
//! and links on the way; creates nothing.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::Ownership;
use crate::limits::fs::SYMLINKS;

/// Why a directory is not safe to create files in.
#[derive(Debug)]
pub(crate) enum LocationError {
    /// Others can rename entries of `directory`, which is the location or a directory above it.
    WritableByOthers {
        directory: PathBuf,
        owner: u32,
        mode: u32,
    },
    Io(io::Error),
}

/// Resolves `directory`, and rejects it if others could put another directory in its place: if they
/// can rename entries of it or of any directory above it. Returns the absolute path without
/// symbolic links.
pub(crate) fn trusted_directory(directory: &Path) -> Result<PathBuf, LocationError> {
    let directory = directory.canonicalize().map_err(LocationError::Io)?;
    for ancestor in directory.ancestors() {
        let found = Ownership::of(&std::fs::metadata(ancestor).map_err(LocationError::Io)?);
        if found.others_can_rename_entries() {
            let Ownership { owner, mode } = found;
            return Err(LocationError::WritableByOthers { directory: ancestor.to_path_buf(), owner, mode });
        }
    }
    Ok(directory)
}

/// A component of a path that another user controls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redirection {
    /// A directory whose entries others can rename or add to, or a symbolic link of another user.
    pub(crate) path: PathBuf,
    pub(crate) owner: u32,
    pub(crate) mode: u32,
}

impl Redirection {
    fn at(path: &Path, Ownership { owner, mode }: Ownership) -> Self {
        Self { path: path.to_path_buf(), owner, mode }
    }
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resolution {
    /// Whether a file or directory is there.
    pub(crate) exists: bool,
    /// The first component that another user could redirect.
    pub(crate) redirection: Option<Redirection>,
}

/// Resolves an absolute path, following symlinks, and returns the first component that another user
/// could redirect.
///
/// If the path leads to a directory, or to nothing, others must not be able to add entries to the
/// last directory either: `/tmp` itself is reported, a directory of this user in it is not. If the
/// path leads to a file, the caller checks the file's own [`Ownership`].
///
/// # Errors
///
/// If a component cannot be read, or is not a directory though the path continues, and after more
/// symbolic links than the kernel follows.
pub(crate) fn resolve(path: &Path) -> io::Result<Resolution> {
    let root = PathBuf::from("/");
    let status = std::fs::metadata(&root)?;
    let redirection = renamed_by_others(&root, &status);
    let mut walk = Walk { here: root, status, ahead: components(path), links: 0, redirection };
    while let Some(name) = walk.ahead.pop() {
        if name == ".." {
            walk.here.pop();
            walk.status = std::fs::metadata(&walk.here)?;
        } else if !walk.enter(&name)? {
            // The name is free: others who can add entries here could take it.
            let redirection = walk.redirection.or_else(|| added_by_others(&walk.here, &walk.status));
            return Ok(Resolution { exists: false, redirection });
        }
    }
    let last = if walk.status.is_dir() { added_by_others(&walk.here, &walk.status) } else { None };
    Ok(Resolution { exists: true, redirection: walk.redirection.or(last) })
}

/// The state of a resolution: how far the path was followed.
struct Walk {
    /// The path so far, without symbolic links.
    here: PathBuf,
    status: Metadata,
    /// The components that are still to be followed, the next one last.
    ahead: Vec<OsString>,
    links: usize,
    redirection: Option<Redirection>,
}

impl Walk {
    /// Follows one component, or queues the components of the link that it is. False if it does not
    /// exist.
    fn enter(&mut self, name: &OsStr) -> io::Result<bool> {
        let next = self.here.join(name);
        let found = match std::fs::symlink_metadata(&next) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if found.is_symlink() {
            self.follow_link(&next, &found)?;
            return Ok(true);
        }
        if found.is_dir() {
            self.redirection = self.redirection.take().or_else(|| renamed_by_others(&next, &found));
        } else if !self.ahead.is_empty() {
            return Err(rustix::io::Errno::NOTDIR.into());
        }
        (self.here, self.status) = (next, found);
        Ok(true)
    }

    fn follow_link(&mut self, link: &Path, found: &Metadata) -> io::Result<()> {
        self.links += 1;
        if self.links > SYMLINKS {
            return Err(rustix::io::Errno::LOOP.into());
        }
        // The mode of a link has no meaning (symlink(7)). Its owner can replace it even in a sticky
        // directory.
        let ownership = Ownership::of(found);
        let foreign = !ownership.is_owner_trusted();
        self.redirection = self.redirection.take().or_else(|| foreign.then(|| Redirection::at(link, ownership)));
        let target = std::fs::read_link(link)?;
        if target.is_absolute() {
            self.here = PathBuf::from("/");
            self.status = std::fs::metadata(&self.here)?;
        }
        self.ahead.extend(components(&target));
        Ok(())
    }
}

/// The components of a path in reverse order, so that the next one is popped from the end.
fn components(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter(|name| matches!(name, Component::Normal(_) | Component::ParentDir));
    names.map(|name| name.as_os_str().to_owned()).collect()
}

fn renamed_by_others(directory: &Path, status: &Metadata) -> Option<Redirection> {
    let found = Ownership::of(status);
    found.others_can_rename_entries().then(|| Redirection::at(directory, found))
}

fn added_by_others(directory: &Path, status: &Metadata) -> Option<Redirection> {
    let found = Ownership::of(status);
    found.others_can_write().then(|| Redirection::at(directory, found))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};

    use super::*;

    #[test]
    fn directory_below_a_writable_one_is_not_trusted() {
        let place = tempfile::tempdir().unwrap();
        let inner = place.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        for (mode, fine) in [(0o755, true), (0o1777, true), (0o777, false), (0o775, false)] {
            set_permissions(place.path(), Permissions::from_mode(mode)).unwrap();
            for path in [place.path(), &inner] {
                match trusted_directory(path) {
                    Ok(_) => assert!(fine, "{mode:o}"),
                    Err(LocationError::WritableByOthers { directory, mode: found, .. }) => {
                        assert!(!fine && directory == place.path() && found == mode, "{mode:o}");
                    }
                    Err(LocationError::Io(error)) => panic!("{error}"),
                }
            }
        }
    }

    #[test]
    fn redirectable_component_is_found_through_symlinks() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        for name in ["open", "open/inner", "sticky", "sticky/inner", "closed"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        set_permissions(root.join("open"), Permissions::from_mode(0o777)).unwrap();
        set_permissions(root.join("sticky"), Permissions::from_mode(0o1777)).unwrap();
        symlink("../open/inner/../inner", root.join("closed/link")).unwrap();
        symlink(root.join("closed/circle"), root.join("closed/circle")).unwrap();
        std::fs::write(root.join("closed/file"), "").unwrap();
        for (name, exists, redirection) in [
            ("closed", true, None),
            ("closed/file", true, None),
            ("closed/none", false, None),
            ("closed/none/below", false, None),
            ("open", true, Some("open")),
            ("open/inner", true, Some("open")),
            ("open/none", false, Some("open")),
            ("closed/link", true, Some("open")),
            ("closed/../open", true, Some("open")),
            ("sticky", true, Some("sticky")),
            ("sticky/inner", true, None),
            ("sticky/none", false, Some("sticky")),
        ] {
            let found = resolve(&root.join(name)).unwrap();
            let at = found.redirection.map(|at| at.path);
            assert_eq!((found.exists, at), (exists, redirection.map(|it| root.join(it))), "{name}");
        }
        assert_eq!(resolve(&root.join("open/inner")).unwrap().redirection.unwrap().mode, 0o777);
        for unreachable in ["closed/circle", "closed/file/below", &"a".repeat(256)] {
            assert!(resolve(&root.join(unreachable)).is_err(), "{unreachable}");
        }
    }

    #[test]
    fn symlink_limit_is_the_one_of_the_kernel() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        for number in 1..=SYMLINKS + 1 {
            symlink(root.join((number - 1).to_string()), root.join(number.to_string())).unwrap();
        }
        std::fs::write(root.join("0"), "").unwrap();
        let last = |number: usize| root.join(number.to_string());
        assert!(std::fs::metadata(last(SYMLINKS)).is_ok() && resolve(&last(SYMLINKS)).is_ok());
        assert!(std::fs::metadata(last(SYMLINKS + 1)).is_err() && resolve(&last(SYMLINKS + 1)).is_err());
    }

    #[test]
    fn foreign_symlink_is_reported_in_a_sticky_directory() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        set_permissions(&root, Permissions::from_mode(0o1755)).unwrap();
        let link = root.join("link");
        symlink("/", &link).unwrap();
        assert_eq!(resolve(&link).unwrap(), Resolution { exists: true, redirection: None });
        let found = |link: &Path| resolve(link).unwrap().redirection.map(|at| (at.path, at.owner));
        match lchown(&link, Some(12345), None) {
            Ok(()) => assert_eq!(found(&link), Some((link, 12345))),
            Err(error) => eprintln!("SKIPPED: only root can give a link away: {error}"),
        }
    }
}
