//! Directories that others might reach into: where launches have their private directories, and
//! where plugins lie. Makes one directory, and removes it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::report::Assessment;
use super::{Guarantee, shown};
use crate::fs::{LocationError, Ownership, Redirection, check_socket_directory, resolve, trusted_directory};
use crate::verify::is_noexec;

/// How many entries of a directory with plugins are looked at.
const ENTRIES: usize = 10_000;

/// How many faults are named; the others are counted.
const NAMED: usize = 10;

/// The directory in which hosts make the private directories of launches.
pub(super) fn of_launches(directory: &Path) -> [Assessment; 2] {
    [
        private_directory(directory),
        executable(Guarantee::PrivateCopy, directory)
            .advise("nothing has to be done, unless private copies are used: give them a directory on another mount"),
    ]
}

/// The directory in which plugins lie.
pub(super) fn of_plugins(directory: &Path) -> [Assessment; 2] {
    [
        executable(Guarantee::PluginMount, directory)
            .advise("install the plugins on a file system that is mounted without noexec"),
        plugin_directory(directory).advise(
            "keep the directory, what is above it and what is in it writable by root alone: chown root, chmod go-w",
        ),
    ]
}

fn private_directory(directory: &Path) -> Assessment {
    let guarantee = Guarantee::PrivateDirectory;
    let found = match place(directory) {
        Ok(place) => Assessment::given(guarantee, format!("{} holds one", shown(&place))),
        Err(fault) => fault.into_assessment(guarantee, directory),
    };
    found.advise("set TMPDIR to a short path that nobody but root and this user can rename anything in, or choose one in the host")
}

enum DirectoryFault {
    Found(String),
    Io(io::Error),
}

impl DirectoryFault {
    fn into_assessment(self, guarantee: Guarantee, directory: &Path) -> Assessment {
        match self {
            Self::Found(evidence) => Assessment::missing(guarantee, evidence),
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                Assessment::missing(guarantee, format!("{}: {error}", shown(directory)))
            }
            Self::Io(error) => Assessment::failed(guarantee, &shown(directory).to_string(), &error),
        }
    }
}

/// The place, after everything that a launch demands of it, a directory made there included.
fn place(directory: &Path) -> Result<PathBuf, DirectoryFault> {
    let place = trusted_directory(directory).map_err(|fault| match fault {
        LocationError::WritableByOthers { directory, owner, mode } => DirectoryFault::Found(format!(
            "user {owner} owns {} and its mode is {mode:04o}, so others can rename what is in it",
            shown(&directory)
        )),
        LocationError::Io(error) => DirectoryFault::Io(error),
    })?;
    check_socket_directory(&place).map_err(|fault| DirectoryFault::Found(format!("{}: {fault}", shown(&place))))?;
    tempfile::Builder::new().prefix("portcullis-assessed-").tempdir_in(&place).map_err(DirectoryFault::Io)?;
    Ok(place)
}

fn executable(guarantee: Guarantee, directory: &Path) -> Assessment {
    // Not opened for reading: that could wait, if it is no directory, and may not be allowed, if it
    // is one.
    let flags = (OFlags::PATH | OFlags::DIRECTORY).bits() as i32;
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(directory);
    match opened.and_then(|directory| is_noexec(&directory)) {
        Ok(false) => Assessment::given(guarantee, format!("programs may run from the mount of {}", shown(directory))),
        Ok(true) => Assessment::missing(guarantee, format!("the mount of {} has the option noexec", shown(directory))),
        Err(error) => Assessment::unknown(guarantee, format!("{}: {error}", shown(directory))),
    }
}

fn plugin_directory(directory: &Path) -> Assessment {
    let guarantee = Guarantee::PluginDirectory;
    match writable_by_others(directory) {
        Ok((faults, looked_at)) if faults.is_empty() => Assessment::given(
            guarantee,
            format!("{} and {looked_at} in it are nobody else's to write", shown(directory)),
        ),
        Ok((faults, _)) => Assessment::missing(guarantee, listed(&faults)),
        Err(error) => Assessment::unknown(guarantee, format!("{}: {error}", shown(directory))),
    }
}

fn listed(faults: &[String]) -> String {
    let named = faults.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    match faults.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}; and {more} more"),
    }
}

/// What others may write of a directory, of those above it, and of what is directly in it; and how
/// many entries there are.
fn writable_by_others(named: &Path) -> io::Result<(Vec<String>, usize)> {
    let directory = named.canonicalize()?;
    let mut faults = Vec::new();
    for above in directory.ancestors() {
        let found = Ownership::of(&std::fs::metadata(above)?);
        // In a sticky directory above, as in /tmp, others can rename nothing of ours. In the
        // directory itself they could still add a file.
        let is_open = if above == directory { found.others_can_write() } else { found.others_can_rename_entries() };
        if is_open {
            faults.push(fault(above, found.owner, found.mode));
        }
    }
    // On the way there may be links, which are not above what they lead to.
    faults.extend(exchangeable(named)?.filter(|fault| !faults.contains(fault)));
    let mut looked_at = 0;
    for entry in std::fs::read_dir(&directory)? {
        if looked_at == ENTRIES {
            return Err(io::Error::other(format!("it has more than {ENTRIES} entries")));
        }
        looked_at += 1;
        let path = entry?.path();
        // Of a link it is the target that runs, and its own mode says nothing.
        let found = Ownership::of(&std::fs::metadata(&path)?);
        if found.others_can_write() {
            faults.push(fault(&path, found.owner, found.mode));
        } else if path.is_symlink() {
            faults.extend(exchangeable(&path)?.filter(|fault| !faults.contains(fault)));
        }
    }
    Ok((faults, looked_at))
}

/// Where others can lead a path elsewhere, by a link of theirs or in a directory in which they can
/// rename things.
fn exchangeable(path: &Path) -> io::Result<Option<String>> {
    let found = resolve(&std::path::absolute(path)?)?;
    Ok(found.redirection.map(|Redirection { path, owner, mode }| fault(&path, owner, mode)))
}

fn fault(path: &Path, owner: u32, mode: u32) -> String {
    format!("user {owner} owns {} and its mode is {mode:04o}", shown(path))
}
