//! From what lies on the disk to the place where a log goes on: nothing yet, a whole log, or one
//! whose writer was killed. What such a writer left unfinished is put aside; anything else that is
//! wrong is for a person to look at.

use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::LogOpenError;
use super::file::{LogFile, beside};
use super::vouch::Kept;
use super::{aside, parts};
use crate::audit::chain::Chain;
use crate::audit::event::Torn;
use crate::audit::examine::{Examination, Examiner, Fault, Trust, Witness, WitnessFault};
use crate::audit::read::Lines;
use crate::audit::{Checkpoint, LogKey};
use crate::fs::sync_directory_of;

/// A log that can be added to.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) file: LogFile,
    /// The number of the first record in the file.
    pub(super) first: u64,
    pub(super) chain: Chain,
    /// What was put aside, and the log is to tell of.
    pub(super) torn: Vec<Torn>,
}

/// Finds the end of the log at `path`, or makes its first file.
///
/// If a checkpoint of it was kept the log must begin with the records that it is over: as far as
/// they are in the current file, and if all are in older ones, those must lead from there to it.
pub(super) fn recover(path: &Path, key: &LogKey, kept: Option<&Kept>) -> Result<Recovered, LogOpenError> {
    let failed = |source| LogOpenError::Io { path: path.to_path_buf(), source };
    let over = kept.map(|kept| &kept.checkpoint);
    undo_rotation(path).map_err(failed)?;
    let older = parts::rotated(path).map_err(failed)?;
    let Some(mut file) = LogFile::open(path)? else {
        if !older.is_empty() {
            return Err(LogOpenError::Missing { path: path.to_path_buf() });
        }
        refuse_cut(path, 0, over)?;
        let file = LogFile::create(path)?;
        sync_directory_of(path).map_err(failed)?;
        return Ok(Recovered { file, first: 0, chain: Chain::start(), torn: Vec::new() });
    };
    let read = examined(path, &file, key, kept)?;
    if read.chain.is_none() && !older.is_empty() {
        return Err(LogOpenError::Damaged { path: path.to_path_buf(), line: 1, fault: Fault::Head });
    }
    refuse_cut(path, read.chain.as_ref().map_or(0, |(_, chain)| chain.next()), over)?;
    let (first, chain) = read.chain.unwrap_or_else(|| (0, Chain::start()));
    if let Some(kept) = kept.filter(|kept| (1..=first).contains(&kept.checkpoint.size)) {
        refuse_disconnected(path, first, &older, kept, key)?;
    }
    if read.whole < file.length() {
        aside::put_aside(path, &mut file, read.whole, chain.next()).map_err(failed)?;
    }
    let torn = aside::untold(path, chain.next())?;
    Ok(Recovered { file, first, chain, torn })
}

/// Refuses a log with fewer records than it had.
fn refuse_cut(path: &Path, found: u64, kept: Option<&Checkpoint>) -> Result<(), LogOpenError> {
    match kept {
        Some(kept) if kept.size > found => {
            Err(LogOpenError::CutShort { path: path.to_path_buf(), kept: kept.size, found })
        }
        _ => Ok(()),
    }
}

/// Refuses a log whose current file, which says itself what was before it, cannot be held against
/// the checkpoint without the files between.
fn refuse_disconnected(
    path: &Path,
    first: u64,
    older: &[(u64, PathBuf)],
    kept: &Kept,
    key: &LogKey,
) -> Result<(), LogOpenError> {
    let size = kept.checkpoint.size;
    let disconnected = || LogOpenError::Disconnected { path: path.to_path_buf(), kept: size, first };
    let begin = older.iter().rposition(|(first, _)| *first < size).ok_or_else(disconnected)?;
    let trust = trust(key, Some(kept));
    let mut examiner = Examiner::to_go_on(&trust);
    for file in older[begin..].iter().map(|(_, file)| file.as_path()).chain([path]) {
        let examined = Lines::open(file).and_then(|lines| examiner.file(lines, &mut |_, _| ()));
        examined.map_err(|error| LogOpenError::Io { path: file.to_path_buf(), source: io::Error::other(error) })?;
    }
    let found = examiner.finish();
    let agrees = found.damaged.is_none() && found.witnesses.iter().all(|witness| witness.fault.is_none());
    if agrees { Ok(()) } else { Err(disconnected()) }
}

/// Takes back a rotation that a killed writer began: until the next file has taken its place, the
/// full one is the current one, and has two names.
fn undo_rotation(path: &Path) -> io::Result<()> {
    let Ok(current) = std::fs::symlink_metadata(path) else { return Ok(()) };
    for (_, part) in parts::rotated(path)? {
        let found = std::fs::symlink_metadata(&part)?;
        if (found.dev(), found.ino()) == (current.dev(), current.ino()) {
            std::fs::remove_file(&part)?;
        }
    }
    match std::fs::remove_file(beside(path, super::rotate::NEXT)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => sync_directory_of(path),
    }
}

/// What was found in the current file.
struct Found {
    /// The number of its first record, and the place after its last. `None` if there is no whole
    /// record.
    chain: Option<(u64, Chain)>,
    /// How many bytes the whole records take up. The writer ends each with a line feed, and tells
    /// nobody of one before all of it is on the disk; a file that had grown when the power went may
    /// end in bytes that were never written.
    whole: u64,
}

/// Reads the current file, and refuses it unless it is what its writer wrote: what was changed
/// would be vouched for again otherwise.
fn examined(path: &Path, file: &LogFile, key: &LogKey, kept: Option<&Kept>) -> Result<Found, LogOpenError> {
    let failed = |source| LogOpenError::Io { path: path.to_path_buf(), source };
    let trust = trust(key, kept);
    let mut examiner = Examiner::to_go_on(&trust);
    let mut reader = BufReader::with_capacity(1 << 18, file.file());
    reader.seek(SeekFrom::Start(0)).map_err(failed)?;
    examiner.file(Lines::new(path, reader), &mut |_, _| ()).map_err(|error| failed(io::Error::other(error)))?;
    let chain = examiner.chain();
    let Examination { damaged, unfinished, witnesses, .. } = examiner.finish();
    // What another log has is no more than another log; a checkpoint is held against what is there
    // before anything is said of what follows.
    if let Some(Witness { checkpoint: Some(kept), fault: Some(WitnessFault::Root), .. }) = witnesses.first() {
        return Err(LogOpenError::Rewritten { path: path.to_path_buf(), kept: kept.size });
    }
    match damaged.map(|damaged| (damaged.line, damaged.fault)) {
        None => Ok(Found { chain, whole: unfinished.map_or(file.length(), |unfinished| unfinished.offset) }),
        Some((_, Fault::OtherKey { found })) => {
            Err(LogOpenError::OtherKey { path: path.to_path_buf(), expected: key.verifier().to_string(), found })
        }
        Some((line, fault)) => Err(LogOpenError::Damaged { path: path.to_path_buf(), line, fault }),
    }
}

/// Only our own checkpoints are true, and the one that was kept is.
fn trust(key: &LogKey, kept: Option<&Kept>) -> Trust {
    let trust = Trust::nothing().key(key.verifier().clone());
    kept.map_or(trust.clone(), |kept| trust.checkpoint("kept", &*kept.note))
}
