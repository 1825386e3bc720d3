//! From a full file of a log to a new one: the new one is there and says where it goes on before
//! the full one gets its other name.

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

/// What the next file is called until it takes its place.
const NEXT: &str = ".next";

/// Makes the next file, which begins with the record that `chain` comes to, and gives the full one,
/// whose first record has the number `first`, its name.
///
/// There is room for `room` bytes in it, as far as the file system can tell. Returns it and the
/// line of that record. If this fails the full file is still the current one, and `chain` is as it
/// was.
pub(super) fn rotate(
    path: &Path,
    first: u64,
    chain: &mut Chain,
    key: &LogKey,
    room: u64,
) -> Result<(LogFile, Vec<u8>), LogOpenError> {
    let failed = |source| LogOpenError::Io { path: path.to_path_buf(), source };
    let next = beside(path, NEXT);
    // What an attempt left that failed.
    match std::fs::remove_file(&next) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = LogFile::create(&next)?;
    let (mut continued, mut line) = (chain.clone(), Vec::new());
    continued.write(&mut line, SystemTime::now(), &begin(chain, key));
    file.preallocate(line.len() as u64 + room).and_then(|_| file.append(&line, true)).map_err(failed)?;
    let full = segments::segment_path(path, first);
    // A second name is never given over something, and at no time is the log without its own.
    std::fs::hard_link(path, &full).map_err(failed)?;
    // On the disk before the other: a file system may keep the later of two changes of names and
    // forget the earlier.
    if let Err(error) = sync_directory_of(path) {
        let _ = std::fs::remove_file(&full);
        return Err(failed(error));
    }
    if let Err(error) = std::fs::rename(&next, path) {
        // While it has two names nobody can open it.
        let _ = std::fs::remove_file(&full);
        return Err(failed(error));
    }
    // From here on it is the log, also if the disk does not have its name yet: nothing in it is
    // told to be recorded before.
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

/// Takes back a rotation that a killed writer began: until the next file has taken its place, the
/// full one is the current one, and has two names.
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
