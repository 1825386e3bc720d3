//! From what lies on the disk to the place where a log goes on: nothing yet, a whole log, or one whose writer was killed. What such a writer left unfinished is
//! put aside; anything else that is wrong is for a person to look at.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::error::{Damage, LogOpenError};
use super::file::{LogFile, beside, sync_directory};
use super::vouch::Kept;
use super::{aside, parts};
use crate::audit::chain::Chain;
use crate::audit::event::{Event, FORMAT, Torn};
use crate::audit::examine::{Examiner, Trust};
use crate::audit::read::Lines;
use crate::audit::record::{LINE_LIMIT, Record};
use crate::audit::tree::Frontier;
use crate::audit::{Checkpoint, LogKey};

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
/// If a checkpoint of it was kept the log must begin with the records that it is over: as far as they are in the current file, and if all are in older ones, those must
/// lead from there to it.
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
        sync_directory(path).map_err(failed)?;
        return Ok(Recovered { file, first: 0, chain: Chain::start(), torn: Vec::new() });
    };
    let read = Reading::of(path, file.file(), key, over)?;
    if read.chain.is_none() && !older.is_empty() {
        return Err(LogOpenError::Damaged { path: path.to_path_buf(), line: 1, fault: Damage::Head });
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

/// Refuses a log whose current file, which says itself what was before it, cannot be held against the checkpoint without the files between.
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
    let trust = Trust::nothing().key(key.verifier().clone()).checkpoint("kept", &*kept.note);
    let mut examiner = Examiner::new(&trust);
    for file in older[begin..].iter().map(|(_, file)| file.as_path()).chain([path]) {
        let examined = Lines::open(file).and_then(|lines| examiner.file(lines, &mut |_, _| ()));
        examined.map_err(|error| LogOpenError::Io { path: file.to_path_buf(), source: io::Error::other(error) })?;
    }
    let found = examiner.finish();
    let agrees = found.damaged.is_none() && found.witnesses.iter().all(|witness| witness.fault.is_none());
    if agrees { Ok(()) } else { Err(disconnected()) }
}

/// Takes back a rotation that a killed writer began: until the next file has taken its place, the full one is the current one, and has two names.
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
        _ => sync_directory(path),
    }
}

/// What was found in a file.
struct Reading {
    /// The number of its first record, and the place after its last. `None` if there is no whole record.
    chain: Option<(u64, Chain)>,
    /// How many bytes the whole records take up.
    whole: u64,
}

impl Reading {
    fn of(path: &Path, file: &File, key: &LogKey, kept: Option<&Checkpoint>) -> Result<Self, LogOpenError> {
        let failed = |source| LogOpenError::Io { path: path.to_path_buf(), source };
        let (mut reading, mut number) = (Self { chain: None, whole: 0 }, 0);
        let mut reader = BufReader::with_capacity(1 << 18, file);
        reader.seek(SeekFrom::Start(0)).map_err(failed)?;
        let mut line = Vec::new();
        loop {
            line.clear();
            reader.by_ref().take(LINE_LIMIT as u64 + 2).read_until(b'\n', &mut line).map_err(failed)?;
            number += 1;
            let damaged = |fault: Damage| LogOpenError::Damaged { path: path.to_path_buf(), line: number, fault };
            match line.split_last() {
                None => return Ok(reading),
                // The writer ends each record with a line feed, and tells nobody of one before all of it is on the disk. A file that had
                // grown when the power went may end in bytes that were never written.
                Some((last, _)) if *last != b'\n' && no_line_ends(&mut reader).map_err(failed)? => return Ok(reading),
                Some((_, rest)) => {
                    let record = Record::parse(rest).map_err(|fault| damaged(fault.into()))?;
                    reading.follow(&record, path, key).map_err(|fault| fault.unwrap_or_else(damaged))?;
                    reading.whole += line.len() as u64;
                    reading.compare(path, kept)?;
                }
            }
        }
    }

    /// Refuses a log that is another one where it has as many records as the checkpoint is over.
    fn compare(&self, path: &Path, kept: Option<&Checkpoint>) -> Result<(), LogOpenError> {
        match (&self.chain, kept) {
            (Some((_, chain)), Some(kept)) if chain.next() == kept.size && chain.tree().root() != kept.root => {
                Err(LogOpenError::Rewritten { path: path.to_path_buf(), kept: kept.size })
            }
            _ => Ok(()),
        }
    }

    /// Takes the next record in.
    fn follow(&mut self, record: &Record, path: &Path, key: &LogKey) -> Result<(), Fault> {
        if let Some((_, chain)) = &mut self.chain {
            let is_true = is_true(record, chain, key);
            chain.follow(record).map_err(|fault| Fault::Damage(fault.into()))?;
            return is_true.then_some(()).ok_or(Fault::Damage(Damage::Checkpoint));
        }
        let (format, found, mut chain) = match record.event() {
            Some(Event::Opened(opened)) => (opened.format, opened.key, Chain::start()),
            Some(Event::Continued(continued)) => {
                let tree = Frontier::restore(record.seq(), continued.tree).ok_or(Fault::Damage(Damage::Tree))?;
                (continued.format, continued.key, Chain::at(tree, record.prev()))
            }
            _ => return Err(Fault::Damage(Damage::Head)),
        };
        if format != FORMAT {
            return Err(Fault::Damage(Damage::Format));
        }
        let expected = key.verifier().to_string();
        if found != expected {
            return Err(Fault::Other(LogOpenError::OtherKey { path: path.to_path_buf(), expected, found }));
        }
        let first = chain.next();
        chain.follow(record).map_err(|fault| Fault::Damage(fault.into()))?;
        self.chain = Some((first, chain));
        Ok(())
    }
}

/// Whether a record is no checkpoint, or one that we signed when the log was what it is. Otherwise what was changed would be vouched for again, and by us.
fn is_true(record: &Record, chain: &Chain, key: &LogKey) -> bool {
    // Few records are, and it takes time to understand all of them.
    if !record.event_text().starts_with(r#"{"type":"checkpoint""#) {
        return true;
    }
    let Some(Event::Checkpoint(signed)) = record.event() else { return false };
    let checkpoint = Checkpoint::open(&signed.note, std::slice::from_ref(key.verifier()), key.origin());
    checkpoint.is_ok_and(|found| (found.size, found.root) == (chain.next(), chain.tree().root()))
}

/// What is wrong: with the line, or with more than that.
enum Fault {
    Damage(Damage),
    Other(LogOpenError),
}

impl Fault {
    fn unwrap_or_else(self, damaged: impl FnOnce(Damage) -> LogOpenError) -> LogOpenError {
        match self {
            Self::Damage(damage) => damaged(damage),
            Self::Other(error) => error,
        }
    }
}

fn no_line_ends(reader: &mut impl io::BufRead) -> io::Result<bool> {
    loop {
        let piece = reader.fill_buf()?;
        if piece.is_empty() || piece.contains(&b'\n') {
            return Ok(piece.is_empty());
        }
        let length = piece.len();
        reader.consume(length);
    }
}
