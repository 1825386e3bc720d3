//! Checks the parent of private directories and the plugin directory: who can write there, and
//! whether programs can run from there. Creates one directory, and removes it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::report::Assessment;
use super::{Guarantee, shown};
use crate::fs::{LocationError, Ownership, Redirection, check_socket_directory, resolve, trusted_directory};
use crate::limits::machine::{DIRECTORY_ENTRIES, NAMED_PATHS};
use crate::verify::is_noexec;

/// The parent directory of the private directories of launches.
pub(super) fn of_launches(directory: &Path) -> [Assessment; 2] {
    [private_directory(directory), executable(Guarantee::PrivateCopy, directory)]
}

/// The directory in which plugins are installed.
pub(super) fn of_plugins(directory: &Path) -> [Assessment; 2] {
    [executable(Guarantee::PluginMount, directory), plugin_directory(directory)]
}

fn private_directory(directory: &Path) -> Assessment {
    let guarantee = Guarantee::PrivateDirectory;
    match try_directory(directory) {
        Ok(place) => Assessment::given(guarantee, format!("{} holds one", shown(&place))),
        Err(fault) => fault.into_assessment(guarantee, directory),
    }
}

/// Why a directory cannot hold a private directory.
enum DirectoryFault {
    Unsuitable(String),
    Io(io::Error),
}

impl DirectoryFault {
    fn into_assessment(self, guarantee: Guarantee, directory: &Path) -> Assessment {
        match self {
            Self::Unsuitable(evidence) => Assessment::missing(guarantee, evidence),
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                Assessment::missing(guarantee, format!("{}: {error}", shown(directory)))
            }
            Self::Io(error) => Assessment::failed(guarantee, &shown(directory).to_string(), &error),
        }
    }
}

/// Checks the requirements of a launch on the parent of its private directory, and creates a
/// directory there. Returns the resolved path.
fn try_directory(directory: &Path) -> Result<PathBuf, DirectoryFault> {
    let parent = trusted_directory(directory).map_err(|fault| match fault {
        LocationError::WritableByOthers { directory, owner, mode } => DirectoryFault::Unsuitable(format!(
            "user {owner} owns {} and its mode is {mode:04o}, so others can rename entries",
            shown(&directory)
        )),
        LocationError::Io(error) => DirectoryFault::Io(error),
    })?;
    check_socket_directory(&parent)
        .map_err(|fault| DirectoryFault::Unsuitable(format!("{}: {fault}", shown(&parent))))?;
    tempfile::Builder::new().prefix("portcullis-examined-").tempdir_in(&parent).map_err(DirectoryFault::Io)?;
    Ok(parent)
}

fn executable(guarantee: Guarantee, directory: &Path) -> Assessment {
    // O_PATH, because opening for reading may need a permission that executing does not, and may
    // block on a FIFO (open(2)).
    let flags = (OFlags::PATH | OFlags::DIRECTORY).bits() as i32;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(directory);
    match opened.and_then(|directory| is_noexec(&directory)) {
        Ok(false) => Assessment::given(guarantee, format!("programs can run from the mount of {}", shown(directory))),
        Ok(true) => Assessment::missing(guarantee, format!("the mount of {} has the option noexec", shown(directory))),
        Err(error) => Assessment::unknown(guarantee, format!("{}: {error}", shown(directory))),
    }
}

fn plugin_directory(directory: &Path) -> Assessment {
    let guarantee = Guarantee::PluginDirectory;
    match writable_by_others(directory) {
        Ok((faults, checked)) if faults.is_empty() => Assessment::given(
            guarantee,
            format!("only root and this user can write to {} and its {checked} entries", shown(directory)),
        ),
        Ok((faults, _)) => Assessment::missing(guarantee, listed(&faults)),
        Err(error) => Assessment::unknown(guarantee, format!("{}: {error}", shown(directory))),
    }
}

fn listed(faults: &[String]) -> String {
    let named = faults.iter().take(NAMED_PATHS).cloned().collect::<Vec<_>>().join("; ");
    match faults.len().saturating_sub(NAMED_PATHS) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

/// The paths that other users can write to, among the directory, those above it, and its entries;
/// and the number of entries.
fn writable_by_others(named: &Path) -> io::Result<(Vec<String>, usize)> {
    let directory = named.canonicalize()?;
    let mut faults = Vec::new();
    for above in directory.ancestors() {
        let found = Ownership::of(&std::fs::metadata(above)?);
        // In a sticky directory such as /tmp, other users cannot rename this user's entries. In the
        // plugin directory itself they could still add a file.
        let is_open = if above == directory { found.others_can_write() } else { found.others_can_rename_entries() };
        if is_open {
            faults.push(fault(above, found.owner, found.mode));
        }
    }
    // The named path may contain symlinks. Their own directories are not among the ancestors of the
    // target.
    faults.extend(redirectable(named)?.filter(|fault| !faults.contains(fault)));
    let mut checked = 0;
    for entry in std::fs::read_dir(&directory)? {
        if checked == DIRECTORY_ENTRIES {
            return Err(io::Error::other(format!("more than {DIRECTORY_ENTRIES} entries")));
        }
        checked += 1;
        let path = entry?.path();
        // Follows symlinks: the target is what runs, and a symlink's own mode means nothing.
        let found = Ownership::of(&std::fs::metadata(&path)?);
        if found.others_can_write() {
            faults.push(fault(&path, found.owner, found.mode));
        } else if path.is_symlink() {
            faults.extend(redirectable(&path)?.filter(|fault| !faults.contains(fault)));
        }
    }
    Ok((faults, checked))
}

/// The first component of `path` that another user can redirect: a symlink of theirs, or an entry
/// of a directory in which they can rename entries.
fn redirectable(path: &Path) -> io::Result<Option<String>> {
    let found = resolve(&std::path::absolute(path)?)?;
    Ok(found.redirection.map(|Redirection { path, owner, mode }| fault(&path, owner, mode)))
}

fn fault(path: &Path, owner: u32, mode: u32) -> String {
    format!("user {owner} owns {} and its mode is {mode:04o}", shown(path))
}
