//! Directories in which nobody else can put something under our names. Looks at owners and modes; makes nothing.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

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

/// The full path of a directory in which, and above which, nobody but root and this user can rename what is theirs.
pub(crate) fn trusted(directory: &Path) -> Result<PathBuf, PlaceFault> {
    let directory = directory.canonicalize().map_err(PlaceFault::Io)?;
    for ancestor in directory.ancestors() {
        let status = std::fs::metadata(ancestor).map_err(PlaceFault::Io)?;
        // In a sticky directory only the owner of a file can rename it (unlink(2), EPERM), as in /tmp.
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

/// Refuses a place below which a path cannot stand in a handshake line or be the address of a socket.
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
}
