//! Files that are written for others to read: the whole of one or nothing of it. Knows no format.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::Builder;

/// Writes `bytes` to a new file at `target`, or over the one that is there if that is wanted.
pub(crate) fn write(bytes: &[u8], target: &Path, replace: bool) -> io::Result<()> {
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // As the umask wants it: what is written is public.
    let mut file = Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    let written = if replace { file.persist(target) } else { file.persist_noclobber(target) };
    written.map(drop).map_err(|error| error.error)
}
