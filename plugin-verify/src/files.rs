//! Output files of the verbs: how they are named and written. Knows no format.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use portcullis::fs::{FileMode, create_file, replace_file};

/// The mode of public files, before the umask.
pub(crate) const PUBLIC: FileMode = FileMode::Masked(0o666);

/// Writes `bytes` to `target`, whole or not at all. With `replace`, an existing file is replaced;
/// otherwise it is an error. The umask decides who may read the file.
pub(crate) fn write(bytes: &[u8], target: &Path, replace: bool) -> io::Result<()> {
    if replace { replace_file(target, PUBLIC, bytes) } else { create_file(target, PUBLIC, bytes) }
}

/// The file beside `name` with `suffix` appended to its whole name.
pub(crate) fn with_suffix(name: &OsStr, suffix: &str) -> PathBuf {
    let mut name = OsString::from(name);
    name.push(suffix);
    name.into()
}
