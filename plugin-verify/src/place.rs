//! Files that are written for others to read: the whole of one or nothing of it. Knows no format.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::Builder;

/// Writes `bytes` to a new file at `target`, or over the one that is there if that is wanted. What
/// is written is public: the umask says who reads it.
pub(crate) fn write(bytes: &[u8], target: &Path, replace: bool) -> io::Result<()> {
    write_as(0o666, bytes, target, replace)
}

/// The same for what this user alone may read.
#[cfg(feature = "report")]
pub(crate) fn write_private(bytes: &[u8], target: &Path, replace: bool) -> io::Result<()> {
    write_as(0o600, bytes, target, replace)
}

fn write_as(mode: u32, bytes: &[u8], target: &Path, replace: bool) -> io::Result<()> {
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let written = if replace { file.persist(target) } else { file.persist_noclobber(target) };
    written.map(drop).map_err(|error| error.error)
}
