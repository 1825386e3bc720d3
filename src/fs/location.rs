//! Directories in which nobody else can put something under our names. Looks at owners and modes;
//! makes nothing.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use rustix::process::geteuid;

/// A name that nobody else gives a directory: this, and as many random characters.
pub(crate) const PREFIX: &str = "portcullis-";
pub(crate) const RANDOM: usize = 12;

/// A socket's path has at most 107 bytes (unix(7)); peers append `/plugin` and up to twenty digits.
const SOCKET_PLACE_LIMIT: usize = 107 - 28;

/// Why something of ours may not be put into a directory.
#[derive(Debug)]
pub(crate) enum PlaceFault {
    /// Others can rename what is in this directory, which is the place or one above it.
    Open {
        directory: PathBuf,
        owner: u32,
        mode: u32,
    },
    Io(io::Error),
}

/// Whether `owner` is root or this process's user.
pub(crate) fn is_trusted(owner: u32) -> bool {
    owner == 0 || owner == geteuid().as_raw()
}

/// The full path of a directory in which, and above which, nobody but root and this user can rename
/// what is theirs.
pub(crate) fn trusted(directory: &Path) -> Result<PathBuf, PlaceFault> {
    let directory = directory.canonicalize().map_err(PlaceFault::Io)?;
    for ancestor in directory.ancestors() {
        let status = std::fs::metadata(ancestor).map_err(PlaceFault::Io)?;
        // In a sticky directory only the owner of a file can rename it (unlink(2), EPERM), as in
        // /tmp.
        let open = status.mode() & 0o022 != 0 && status.mode() & 0o1000 == 0;
        if open || !is_trusted(status.uid()) {
            let (owner, mode) = (status.uid(), status.mode() & 0o7777);
            return Err(PlaceFault::Open { directory: ancestor.to_path_buf(), owner, mode });
        }
    }
    Ok(directory)
}

/// Why private directories cannot have names below a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameFault {
    #[error("its path contains '|' or a line break, which cannot stand in a handshake line")]
    Characters,
    #[error("its path has more than {limit} bytes, which leaves no room for a socket's name")]
    TooLong { limit: usize },
}

/// Refuses a place below which a path cannot stand in a handshake line or be the address of a
/// socket.
pub(crate) fn refuse_name(place: &Path) -> Result<(), NameFault> {
    const LIMIT: usize = SOCKET_PLACE_LIMIT - 1 - PREFIX.len() - RANDOM;
    let name = place.as_os_str().as_bytes();
    if name.iter().any(|byte| matches!(byte, b'|' | b'\n' | b'\r')) {
        Err(NameFault::Characters)
    } else if name.len() > LIMIT {
        Err(NameFault::TooLong { limit: LIMIT })
    } else {
        Ok(())
    }
}

/// As many symbolic links as the kernel follows in one path (path_resolution(7)).
const LINKS_LIMIT: usize = 40;

/// Where somebody other than root and this user decides what is found under a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opening {
    /// A directory in which they may put something or rename what is there, or a symbolic link of
    /// theirs.
    pub(crate) path: PathBuf,
    pub(crate) owner: u32,
    pub(crate) mode: u32,
}

/// Goes the way of an absolute path, every symbolic link of it included, and returns the first
/// place where others could lead it elsewhere; and whether the way leads to something at all.
///
/// If it leads to a directory, others must not be able to put anything into it either, as they are
/// in /tmp. What it leads to otherwise is not looked at.
pub(crate) fn follow(path: &Path) -> io::Result<(bool, Option<Opening>)> {
    let root = PathBuf::from("/");
    let status = std::fs::metadata(&root)?;
    let opening = passes(&root, &status);
    let mut way = Way { here: root, status, ahead: components(path), links: 0, opening };
    while let Some(name) = way.ahead.pop() {
        if name == ".." {
            way.here.pop();
            way.status = std::fs::metadata(&way.here)?;
        } else if !way.enter(&name)? {
            // Whoever can put it there decides what it will be.
            return Ok((false, way.opening.or_else(|| takes(&way.here, &way.status))));
        }
    }
    let last = if way.status.is_dir() { takes(&way.here, &way.status) } else { None };
    Ok((true, way.opening.or(last)))
}

/// How far a path was followed.
struct Way {
    /// Without symbolic links.
    here: PathBuf,
    status: Metadata,
    /// The names that are still to be followed, the first one last.
    ahead: Vec<OsString>,
    links: usize,
    opening: Option<Opening>,
}

impl Way {
    /// Goes on to what has this name, or to where that leads. False if there is nothing.
    fn enter(&mut self, name: &OsStr) -> io::Result<bool> {
        let next = self.here.join(name);
        let found = match std::fs::symlink_metadata(&next) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if found.is_symlink() {
            self.turn(&next, &found)?;
            return Ok(true);
        }
        if found.is_dir() {
            self.opening = self.opening.take().or_else(|| passes(&next, &found));
        } else if !self.ahead.is_empty() {
            return Err(rustix::io::Errno::NOTDIR.into());
        }
        (self.here, self.status) = (next, found);
        Ok(true)
    }

    fn turn(&mut self, link: &Path, found: &Metadata) -> io::Result<()> {
        self.links += 1;
        if self.links > LINKS_LIMIT {
            return Err(rustix::io::Errno::LOOP.into());
        }
        // The mode of a link means nothing; who owns it can replace it even in a sticky directory.
        let foreign = !is_trusted(found.uid());
        self.opening = self.opening.take().or_else(|| foreign.then(|| Opening::at(link, found)));
        let target = std::fs::read_link(link)?;
        if target.is_absolute() {
            self.here = PathBuf::from("/");
            self.status = std::fs::metadata(&self.here)?;
        }
        self.ahead.extend(components(&target));
        Ok(())
    }
}

/// The names of a path, the first one last.
fn components(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter(|name| matches!(name, Component::Normal(_) | Component::ParentDir));
    names.map(|name| name.as_os_str().to_owned()).collect()
}

/// Where others can rename what lies in a directory that is passed through.
fn passes(directory: &Path, status: &Metadata) -> Option<Opening> {
    let open = status.mode() & 0o022 != 0 && status.mode() & 0o1000 == 0;
    (open || !is_trusted(status.uid())).then(|| Opening::at(directory, status))
}

/// Where others can put something new into a directory.
fn takes(directory: &Path, status: &Metadata) -> Option<Opening> {
    let open = status.mode() & 0o022 != 0;
    (open || !is_trusted(status.uid())).then(|| Opening::at(directory, status))
}

impl Opening {
    fn at(path: &Path, status: &Metadata) -> Self {
        Self { path: path.to_path_buf(), owner: status.uid(), mode: status.mode() & 0o7777 }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_place_where_others_can_rename_is_not_trusted_and_nothing_below_it_is() {
        let place = tempfile::tempdir().unwrap();
        let inner = place.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        for (mode, fine) in [(0o755, true), (0o1777, true), (0o777, false), (0o775, false)] {
            set_permissions(place.path(), Permissions::from_mode(mode)).unwrap();
            for path in [place.path(), &inner] {
                match trusted(path) {
                    Ok(_) => assert!(fine, "{mode:o}"),
                    Err(PlaceFault::Open { directory, mode: found, .. }) => {
                        assert!(!fine && directory == place.path() && found == mode, "{mode:o}");
                    }
                    Err(PlaceFault::Io(error)) => panic!("{error}"),
                }
            }
        }
    }

    #[test]
    fn a_way_is_open_where_others_can_lead_it_elsewhere() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        for name in ["open", "open/inner", "sticky", "sticky/inner", "closed"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        set_permissions(root.join("open"), Permissions::from_mode(0o777)).unwrap();
        set_permissions(root.join("sticky"), Permissions::from_mode(0o1777)).unwrap();
        std::os::unix::fs::symlink("../open/inner/../inner", root.join("closed/link")).unwrap();
        std::os::unix::fs::symlink(root.join("closed/circle"), root.join("closed/circle")).unwrap();
        std::fs::write(root.join("closed/file"), "").unwrap();
        for (name, exists, opening) in [
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
            let (found, at) = follow(&root.join(name)).unwrap();
            assert_eq!((found, at.map(|at| at.path)), (exists, opening.map(|it| root.join(it))), "{name}");
        }
        assert_eq!(follow(&root.join("open/inner")).unwrap().1.unwrap().mode, 0o777);
        for nowhere in ["closed/circle", "closed/file/below", &"a".repeat(256)] {
            assert!(follow(&root.join(nowhere)).is_err(), "{nowhere}");
        }
    }

    #[test]
    fn as_many_links_are_followed_as_the_kernel_follows() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        for number in 1..=LINKS_LIMIT + 1 {
            std::os::unix::fs::symlink(root.join((number - 1).to_string()), root.join(number.to_string())).unwrap();
        }
        std::fs::write(root.join("0"), "").unwrap();
        let last = |number: usize| root.join(number.to_string());
        assert!(std::fs::metadata(last(LINKS_LIMIT)).is_ok() && follow(&last(LINKS_LIMIT)).is_ok());
        assert!(std::fs::metadata(last(LINKS_LIMIT + 1)).is_err() && follow(&last(LINKS_LIMIT + 1)).is_err());
    }

    #[test]
    fn a_name_below_a_place_must_fit_a_handshake_line_and_a_socket() {
        // 107 bytes (unix(7)) without `/portcullis-`, twelve random characters, and 28 for what
        // peers append.
        let limit = 55;
        let place = |length: usize| PathBuf::from("/".to_owned() + &"p".repeat(length - 1));
        assert_eq!(refuse_name(&place(limit)), Ok(()));
        assert_eq!(refuse_name(&place(limit + 1)), Err(NameFault::TooLong { limit }));
        for name in ["/a|b", "/a\nb", "/a\rb"] {
            assert_eq!(refuse_name(Path::new(name)), Err(NameFault::Characters), "{name:?}");
        }
    }

    #[test]
    fn a_link_of_somebody_else_leads_elsewhere_even_in_a_sticky_directory() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        set_permissions(&root, Permissions::from_mode(0o1755)).unwrap();
        let link = root.join("link");
        std::os::unix::fs::symlink("/", &link).unwrap();
        assert_eq!(follow(&link).unwrap(), (true, None));
        match std::os::unix::fs::lchown(&link, Some(12345), None) {
            Ok(()) => assert_eq!(follow(&link).unwrap().1.map(|at| (at.path, at.owner)), Some((link, 12345))),
            Err(error) => eprintln!("SKIPPED: only root can give a link away: {error}"),
        }
    }
}
