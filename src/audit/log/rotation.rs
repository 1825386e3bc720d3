//! Rotation: creates the next file of a log, and renames the full one. Does not decide when.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::SystemTime;

use super::error::LogOpenError;
use super::file::LogFile;
use crate::audit::LogKey;
use crate::audit::evidence::chain::Chain;
use crate::audit::evidence::segments::{self, beside};
use crate::event::{Event, FORMAT, LogContinued};
use crate::fs::sync_directory_of;

/// The suffix of the next file until it becomes the current one.
const NEXT: &str = ".next";

/// Creates the next file with a `continued` record that follows `chain`, and renames the full file,
/// whose first record has the index `first`.
///
/// Allocates `headroom` bytes in the next file where the file system supports that. Returns the
/// file and the line of its record. On failure the full file stays current and `chain` unchanged.
pub(super) fn rotate(
    path: &Path,
    first: u64,
    chain: &mut Chain,
    key: &LogKey,
    headroom: u64,
) -> Result<(LogFile, Vec<u8>), LogOpenError> {
    let failed = |source| LogOpenError::Io { path: path.to_path_buf(), source };
    let next = beside(path, NEXT);
    // A failed attempt may have left one.
    match std::fs::remove_file(&next) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = LogFile::create(&next)?;
    let (mut continued, mut line) = (chain.clone(), Vec::new());
    continued.write(&mut line, SystemTime::now(), &begin(chain, key));
    file.preallocate(line.len() as u64 + headroom).and_then(|_| file.append(&line, true)).map_err(failed)?;
    let full = segments::segment_path(path, first);
    // link(2) does not replace an existing file, and the log keeps its name all the time. A crash
    // from here until the rename leaves a file with two names, which `undo` repairs.
    std::fs::hard_link(path, &full).map_err(failed)?;
    // Sync the link before the rename: a file system may persist the later of two directory changes
    // without the earlier one.
    if let Err(error) = sync_directory_of(path) {
        let _ = std::fs::remove_file(&full);
        return Err(failed(error));
    }
    if let Err(error) = std::fs::rename(&next, path) {
        // A log with two names does not open.
        let _ = std::fs::remove_file(&full);
        return Err(failed(error));
    }
    // The file is the log from here on. Its name may not be on disk yet: the next sync includes the
    // directory, before any record in it is acknowledged.
    file.renamed(path);
    *chain = continued;
    Ok((file, line))
}

fn begin(chain: &Chain, key: &LogKey) -> Event {
    Event::Continued(LogContinued {
        format: FORMAT.into(),
        origin: key.origin().into(),
        key: key.verifier().to_string(),
        tree: chain.tree().hashes().to_vec(),
    })
}

/// Undoes a rotation that a crash interrupted. Until the rename, the full file is the current one
/// and has two names.
pub(super) fn undo(path: &Path) -> io::Result<()> {
    let Ok(current) = std::fs::symlink_metadata(path) else { return Ok(()) };
    for (_, part) in segments::full_segments(path)? {
        let found = std::fs::symlink_metadata(&part)?;
        if (found.dev(), found.ino()) == (current.dev(), current.ino()) {
            std::fs::remove_file(&part)?;
        }
    }
    match std::fs::remove_file(beside(path, NEXT)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_directory_of(path),
    }
}
