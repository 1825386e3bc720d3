//! Opening: verifies the files of a log and finds the end where its writer continues. Repairs what
//! a killed writer leaves; any other damage is an error for an operator to look at.

use std::fs::File;
use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::OFlags;

use super::checkpoints::SavedCheckpoint;
use super::error::LogOpenError;
use super::file::{LogFile, open};
use super::rotation;
use crate::Digest;
use crate::audit::evidence::chain::Chain;
use crate::audit::evidence::segments::{self, beside};
use crate::audit::reader::read::LogLines;
use crate::audit::reader::verifier::{
    CheckpointMismatch, LogFault, LogVerifier, TrustAnchors, TrustedCheckpoint, VerificationReport,
};
use crate::audit::{Checkpoint, LogKey};
use crate::event::{TornTail, text};
use crate::fs::{FileMode, create_file_with, directory_of, sync_directory_of};
use crate::limits::audit::{READ_BUFFER_BYTES, REPORTED_TAILS};

// The traces of a killed writer or a power failure, and their repair:
//
// - A torn line at the end, or zeros where the file had grown: `quarantine` copies them to a file
//   beside the log, then truncates the log.
// - A quarantined tail that no record mentions, from a crash between the quarantine and the
//   `opened` record: `unreported_tails` finds it by the index in its name.
// - Half a rotation: `rotation::undo` restores the full file as the current one.
//
// Every step is safe to repeat, so a crash during recovery needs no repair of its own. The caller
// holds the writer lock.

/// A log that is ready for appending.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) file: LogFile,
    /// The index of the first record in the file.
    pub(super) first: u64,
    pub(super) chain: Chain,
    /// The quarantined tails that no record mentions yet.
    pub(super) torn: Vec<TornTail>,
}

/// Finds the end of the log at `path`, or creates its first file.
///
/// The log must start with the records that the `saved` checkpoint covers. If all of them are in
/// full segments, those segments must lead from the checkpoint to the current file.
pub(super) fn recover(path: &Path, key: &LogKey, saved: Option<&SavedCheckpoint>) -> Result<Recovered, LogOpenError> {
    let failed = |source| LogOpenError::Io { path: path.to_path_buf(), source };
    let over = saved.map(|saved| &saved.checkpoint);
    rotation::undo(path).map_err(failed)?;
    let older = segments::full_segments(path).map_err(failed)?;
    let Some(mut file) = LogFile::open(path)? else {
        if !older.is_empty() {
            return Err(LogOpenError::Missing { path: path.to_path_buf() });
        }
        refuse_truncated(path, 0, over)?;
        let file = LogFile::create(path)?;
        sync_directory_of(path).map_err(failed)?;
        return Ok(Recovered { file, first: 0, chain: Chain::start(), torn: Vec::new() });
    };
    let read = verify_current(path, &file, key, saved)?;
    if read.chain.is_none() && !older.is_empty() {
        return Err(LogOpenError::Damaged { path: path.to_path_buf(), line: 1, fault: LogFault::SegmentStart });
    }
    refuse_truncated(path, read.chain.as_ref().map_or(0, |(_, chain)| chain.next()), over)?;
    let (first, chain) = read.chain.unwrap_or_else(|| (0, Chain::start()));
    if let Some(saved) = saved.filter(|saved| (1..=first).contains(&saved.checkpoint.size)) {
        refuse_disconnected(path, first, &older, saved, key)?;
    }
    if read.whole < file.length() {
        quarantine(path, &mut file, read.whole, chain.next()).map_err(failed)?;
    }
    let torn = unreported_tails(path, chain.next())?;
    Ok(Recovered { file, first, chain, torn })
}

/// Refuses a log with fewer records than the checkpoint covers.
fn refuse_truncated(path: &Path, found: u64, saved: Option<&Checkpoint>) -> Result<(), LogOpenError> {
    match saved {
        Some(saved) if saved.size > found => {
            Err(LogOpenError::Truncated { path: path.to_path_buf(), covered: saved.size, found })
        }
        _ => Ok(()),
    }
}

/// Refuses a log whose segments do not lead from the checkpoint to the current file. The current
/// file alone proves nothing here: it states itself which records came before it.
fn refuse_disconnected(
    path: &Path,
    first: u64,
    older: &[(u64, PathBuf)],
    saved: &SavedCheckpoint,
    key: &LogKey,
) -> Result<(), LogOpenError> {
    let size = saved.checkpoint.size;
    let disconnected = || LogOpenError::Disconnected { path: path.to_path_buf(), covered: size, first };
    let begin = older.iter().rposition(|(first, _)| *first < size).ok_or_else(disconnected)?;
    let trust = trust(key, Some(saved));
    let mut verifier = LogVerifier::without_totals(&trust);
    for file in older[begin..].iter().map(|(_, file)| file.as_path()).chain([path]) {
        let examined = LogLines::open(file).and_then(|lines| verifier.segment(lines, &mut |_, _| ()));
        examined.map_err(|error| LogOpenError::Io { path: file.to_path_buf(), source: io::Error::other(error) })?;
    }
    let found = verifier.finish();
    let agrees = found.damaged.is_none() && found.trusted_checkpoints.iter().all(|checked| checked.fault.is_none());
    if agrees { Ok(()) } else { Err(disconnected()) }
}

/// The verified content of the current file.
struct CurrentSegment {
    /// The index of its first record and the chain after its last. `None` if there is no whole
    /// record.
    chain: Option<(u64, Chain)>,
    /// The length in bytes of its whole records. Each ends with a line feed. The bytes behind them
    /// were never acknowledged in a required log: a caller gets its answer only after the sync.
    whole: u64,
}

/// Verifies the current file. A changed record is an error: the next checkpoint would cover it.
fn verify_current(
    path: &Path,
    file: &LogFile,
    key: &LogKey,
    saved: Option<&SavedCheckpoint>,
) -> Result<CurrentSegment, LogOpenError> {
    let failed = |source| LogOpenError::Io { path: path.to_path_buf(), source };
    let trust = trust(key, saved);
    let mut verifier = LogVerifier::without_totals(&trust);
    let mut reader = BufReader::with_capacity(READ_BUFFER_BYTES, file.file());
    reader.seek(SeekFrom::Start(0)).map_err(failed)?;
    verifier.segment(LogLines::new(path, reader), &mut |_, _| ()).map_err(|error| failed(io::Error::other(error)))?;
    let chain = verifier.chain();
    let VerificationReport { damaged, torn_tail, trusted_checkpoints, .. } = verifier.finish();
    // The mismatch comes first: a log that does not match the checkpoint is another log, and damage
    // in that one is not the news.
    if let Some(TrustedCheckpoint { checkpoint: Some(covered), fault: Some(CheckpointMismatch::Root), .. }) =
        trusted_checkpoints.first()
    {
        return Err(LogOpenError::Rewritten { path: path.to_path_buf(), covered: covered.size });
    }
    match damaged.map(|damaged| (damaged.line, damaged.fault)) {
        None => Ok(CurrentSegment { chain, whole: torn_tail.map_or(file.length(), |tail| tail.offset) }),
        Some((_, LogFault::OtherKey { found })) => {
            Err(LogOpenError::OtherKey { path: path.to_path_buf(), expected: key.verifier().to_string(), found })
        }
        Some((line, fault)) => Err(LogOpenError::Damaged { path: path.to_path_buf(), line, fault }),
    }
}

/// Trusts the log's own key and the saved checkpoint.
fn trust(key: &LogKey, saved: Option<&SavedCheckpoint>) -> TrustAnchors {
    let trust = TrustAnchors::none().key(key.verifier().clone());
    saved.map_or(trust.clone(), |saved| trust.checkpoint("kept", &*saved.note))
}

/// Moves the bytes behind `whole` into a file beside the log. `next` is the index of the record
/// that they would have been.
pub(super) fn quarantine(log: &Path, file: &mut LogFile, whole: u64, next: u64) -> io::Result<()> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let copy_path = beside(log, &format!(".torn-{next}-{}", since.as_micros()));
    create_file_with(&copy_path, FileMode::Exact(0o600), |copy| {
        let mut tail = file.file();
        tail.seek(SeekFrom::Start(whole))?;
        io::copy(&mut tail, copy).map(drop)
    })?;
    // The copy is on disk with its name by now. A crash before the truncation leaves two copies;
    // the other order could leave none.
    file.truncate(whole)?;
    file.file().sync_all()
}

/// Lists the tails that were quarantined in place of record `next`. That record is not written yet,
/// so no record mentions them.
pub(super) fn unreported_tails(log: &Path, next: u64) -> Result<Vec<TornTail>, LogOpenError> {
    let failed = |source| LogOpenError::Io { path: log.to_path_buf(), source };
    let mut files = quarantined_files(log, next).map_err(failed)?;
    files.sort();
    let from = files.len().saturating_sub(REPORTED_TAILS);
    let opened =
        files.drain(from..).filter_map(|path| open(&path, OFlags::RDONLY).transpose().map(|file| (path, file)));
    opened.map(|(path, file)| file.and_then(|file| torn_tail(&path, file).map_err(failed))).collect()
}

fn quarantined_files(log: &Path, next: u64) -> io::Result<Vec<PathBuf>> {
    let start = beside(log, &format!(".torn-{next}-"));
    let start = start.file_name().unwrap_or_default().as_bytes();
    let entries = std::fs::read_dir(directory_of(log))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
    let found = names.filter(|name| name.as_ref().map_or(true, |name| name.as_bytes().starts_with(start)));
    found.map(|name| name.map(|name| log.with_file_name(name))).collect()
}

fn torn_tail(path: &Path, mut file: File) -> io::Result<TornTail> {
    let name = path.file_name().unwrap_or_default();
    Ok(TornTail { bytes: file.metadata()?.len(), sha256: Digest::read(&mut file)?, file: text(name.as_bytes()) })
}
