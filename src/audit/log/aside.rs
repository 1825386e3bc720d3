//! What killed writers left unfinished: put aside in files of their own, and found there until the
//! log tells of them. Knows no records.
//!
//! Such a file is named `LOG.torn-<number>-<time>`, after the record that was being written. While
//! the log has no record of that number it has not told of the file either, even if the writer that
//! put it aside was killed too.

use std::fs::{File, Permissions};
use std::io::{self, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;

use super::error::LogOpenError;
use super::file::{LogFile, beside, open};
use crate::audit::event::{Torn, text};
use crate::fs::{directory_of, sync_directory_of};
use crate::verify::Digest;

/// So many files are told of at once, the latest, so that what is told fits into a record.
const TOLD: usize = 32;

/// Moves what lies behind `whole` into a file of its own, which is whole and on the disk before the
/// log is cut. `next` is the number of the record that should have been there.
pub(super) fn put_aside(log: &Path, file: &mut LogFile, whole: u64, next: u64) -> io::Result<()> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let aside = beside(log, &format!(".torn-{next}-{}", since.as_micros()));
    let mut copy = tempfile::Builder::new().prefix(".torn-").tempfile_in(directory_of(&aside))?;
    copy.as_file().set_permissions(Permissions::from_mode(0o600))?;
    let mut tail = file.file();
    tail.seek(SeekFrom::Start(whole))?;
    io::copy(&mut tail, &mut copy)?;
    copy.as_file().sync_all()?;
    copy.persist_noclobber(&aside).map_err(|error| error.error)?;
    sync_directory_of(&aside)?;
    file.cut(whole)?;
    file.file().sync_all()
}

/// What was put aside in the place of record `next`, which is still to be written.
pub(super) fn untold(log: &Path, next: u64) -> Result<Vec<Torn>, LogOpenError> {
    let failed = |source| LogOpenError::Io { path: log.to_path_buf(), source };
    let mut files = files(log, next).map_err(failed)?;
    files.sort();
    let from = files.len().saturating_sub(TOLD);
    let opened =
        files.drain(from..).filter_map(|path| open(&path, OFlags::RDONLY).transpose().map(|file| (path, file)));
    opened.map(|(path, file)| file.and_then(|file| torn(&path, file).map_err(failed))).collect()
}

fn files(log: &Path, next: u64) -> io::Result<Vec<PathBuf>> {
    let start = beside(log, &format!(".torn-{next}-"));
    let start = start.file_name().unwrap_or_default().as_bytes();
    let entries = std::fs::read_dir(directory_of(log))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    let found = names.filter(|name| name.as_ref().map_or(true, |name| name.as_bytes().starts_with(start)));
    found.map(|name| name.map(|name| log.with_file_name(name))).collect()
}

fn torn(path: &Path, mut file: File) -> io::Result<Torn> {
    let name = path.file_name().unwrap_or_default();
    Ok(Torn { bytes: file.metadata()?.len(), sha256: Digest::read(&mut file)?, file: text(name.as_bytes()) })
}
