//! Files that are written for others to read: the whole of one or nothing of it. Knows no format.

use std::io;
use std::path::Path;

use portcullis::fs::{FileMode, create_file, replace_file};

/// Writes `bytes` to a new file at `target`, or with `replace` over an existing one. The umask
/// decides who may read it.
pub(crate) fn write(bytes: &[u8], target: &Path, replace: bool) -> io::Result<()> {
    write_as(FileMode::Masked(0o666), bytes, target, replace)
}

/// [`write`], for a file that only this user may read.
#[cfg(feature = "report")]
pub(crate) fn write_private(bytes: &[u8], target: &Path, replace: bool) -> io::Result<()> {
    write_as(FileMode::Exact(0o600), bytes, target, replace)
}

fn write_as(mode: FileMode, bytes: &[u8], target: &Path, replace: bool) -> io::Result<()> {
    if replace { replace_file(target, mode, bytes) } else { create_file(target, mode, bytes) }
}
