//! Whether a log is what its writer wrote: every record in its place, every checkpoint true,
//! nothing missing that somebody else's checkpoint knows of. Names the first record that is not.
//! Changes nothing.

mod report;
mod summary;

use std::io::BufRead;
use std::path::{Path, PathBuf};

pub use report::{Damaged, Examination, Fault, Unfinished, Witness, WitnessFault};
pub use summary::{Account, OpenCall};

use self::report::Good;
use super::read::{Line, Lines, ReadError, opened};
use crate::Digest;
use crate::audit::evidence::chain::{Chain, ChainFault};
use crate::audit::evidence::checkpoint::{Checkpoint, CheckpointError};
use crate::audit::evidence::note::NoteVerifier;
use crate::audit::evidence::record::{Record, RecordFault};
use crate::audit::evidence::tree::Frontier;
use crate::event::{Event, FORMAT};

/// What somebody who examines a log knows of it already.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    keys: Vec<NoteVerifier>,
    witnesses: Vec<(String, String)>,
}

impl Trust {
    /// Nothing: the log can then only be held against itself, and whoever can write its checkpoints
    /// with a key of their own passes.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// The key that the log's checkpoints must be signed with. Of several one must be.
    pub fn key(mut self, key: NoteVerifier) -> Self {
        self.keys.push(key);
        self
    }

    /// A checkpoint that was kept elsewhere, under the name that it is spoken of by.
    pub fn checkpoint(mut self, name: impl Into<String>, note: impl Into<String>) -> Self {
        self.witnesses.push((name.into(), note.into()));
        self
    }
}

/// Examines the log at `path` with its full files.
///
/// # Errors
///
/// When a file cannot be read. What is wrong with what was read is in the result.
pub fn examine(path: impl AsRef<Path>, trust: &Trust) -> Result<Examination, ReadError> {
    examine_with(path, trust, |_, _| ())
}

/// The same, and shows each line to `see` when it was examined: with its record, if it is one,
/// wherever it stands.
///
/// # Errors
///
/// When a file cannot be read.
pub fn examine_with(
    path: impl AsRef<Path>,
    trust: &Trust,
    mut see: impl FnMut(&Line, Option<&Record>),
) -> Result<Examination, ReadError> {
    let mut examiner = Examiner::new(trust);
    for lines in opened(path)? {
        examiner.file(lines?, &mut see)?;
    }
    Ok(examiner.finish())
}

/// The same, and shows each record to `see` that is good: in its place, with nothing wrong before
/// it.
///
/// # Errors
///
/// When a file cannot be read.
pub fn examine_good(
    path: impl AsRef<Path>,
    trust: &Trust,
    mut see: impl FnMut(&Record),
) -> Result<Examination, ReadError> {
    let mut examiner = Examiner::new(trust);
    for lines in opened(path)? {
        examiner.read(lines?, &mut |_, _| (), &mut see)?;
    }
    Ok(examiner.finish())
}

/// Examines a log that is given file by file, in the order of its records.
#[derive(Clone)]
pub struct Examiner<'t> {
    trust: &'t Trust,
    log: Option<Known>,
    good: Good,
    damaged: Option<Damaged>,
    unfinished: Option<Unfinished>,
    /// The last file, if there is nothing in it.
    empty: Option<PathBuf>,
    /// Witnesses whose size has not come yet.
    waiting: Vec<Witness>,
    told: Vec<Witness>,
    /// What the records say; `None` if only the log itself is of interest.
    account: Option<Account>,
}

/// What a log says of itself at its beginning.
#[derive(Clone)]
struct Known {
    origin: String,
    key: NoteVerifier,
    first: u64,
    chain: Chain,
}

impl<'t> Examiner<'t> {
    /// Nothing was examined yet.
    pub fn new(trust: &'t Trust) -> Self {
        Self {
            trust,
            log: None,
            good: Good::default(),
            damaged: None,
            unfinished: None,
            empty: None,
            waiting: Vec::new(),
            told: Vec::new(),
            account: Some(Account::default()),
        }
    }

    /// For whoever goes on with the log: what its records say is not added up, which takes most of
    /// the time.
    pub(crate) fn to_go_on(trust: &'t Trust) -> Self {
        Self { account: None, ..Self::new(trust) }
    }

    /// The number of the first record, and the place after the last good one. `None` if there is
    /// none.
    pub(crate) fn chain(&self) -> Option<(u64, Chain)> {
        self.log.as_ref().map(|log| (log.first, log.chain.clone()))
    }

    /// Examines the next file, and shows its lines to `see`.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn file<R: BufRead>(
        &mut self,
        lines: Lines<R>,
        see: &mut impl FnMut(&Line, Option<&Record>),
    ) -> Result<(), ReadError> {
        self.read(lines, see, &mut |_| ())
    }

    fn read<R: BufRead>(
        &mut self,
        mut lines: Lines<R>,
        see: &mut impl FnMut(&Line, Option<&Record>),
        see_good: &mut impl FnMut(&Record),
    ) -> Result<(), ReadError> {
        // Only the newest file can be unfinished.
        if let Some(unfinished) = self.unfinished.take() {
            self.damage(unfinished.file, unfinished.line, unfinished.offset, Fault::Unfinished);
        }
        let path = lines.path().to_path_buf();
        if let Some(empty) = self.empty.replace(path.clone()) {
            self.damage(empty, 1, 0, Fault::Head);
        }
        let mut is_first = true;
        while let Some(line) = lines.next().transpose()? {
            self.empty = None;
            let record = Record::parse(&line.bytes);
            see(&line, record.as_ref().ok());
            if let Some(record) = self.line(&path, &line, record, is_first) {
                see_good(&record);
            }
            is_first = false;
        }
        Ok(())
    }

    /// Examines the next line. Returns its record if it is good. Behind the first that is not
    /// nothing is known.
    fn line(
        &mut self,
        file: &Path,
        line: &Line,
        record: Result<Record, RecordFault>,
        is_first: bool,
    ) -> Option<Record> {
        if self.damaged.is_some() {
            return None;
        }
        if !line.is_whole {
            let (number, offset, bytes) = (line.number, line.offset, line.bytes.len() as u64);
            self.unfinished = Some(Unfinished { file: file.to_path_buf(), line: number, offset, bytes });
            return None;
        }
        let checked = record.map_err(Fault::Record).and_then(|record| self.record(&record, is_first).map(|()| record));
        checked.map_err(|fault| self.damage(file.to_path_buf(), line.number, line.offset, fault)).ok()
    }

    /// What is wrong there, unless something before it is already.
    fn damage(&mut self, file: PathBuf, line: u64, offset: u64, fault: Fault) {
        if self.damaged.is_some() {
            return;
        }
        let seq = self.log.as_ref().map_or(0, |log| log.chain.next());
        self.damaged = Some(Damaged { file, line, offset, seq, vouched: self.good.vouched, fault });
    }

    fn record(&mut self, record: &Record, is_first: bool) -> Result<(), Fault> {
        let event = if self.account.is_some() || is_about_the_log(record) { record.event() } else { None };
        if self.log.is_none() {
            self.begin(record, event.as_ref())?;
        }
        let Some(log) = &mut self.log else { return Err(Fault::Head) };
        log.chain.admit(record).map_err(Fault::Chain)?;
        let vouched = check(log, event.as_ref(), is_first)?;
        log.chain.follow(record).map_err(Fault::Chain)?;
        self.good.vouched = vouched.or(self.good.vouched);
        self.good.time(record);
        if let Some(account) = &mut self.account {
            account.take(record.seq(), event);
        }
        self.hear();
        Ok(())
    }

    /// What the first record says of the log.
    fn begin(&mut self, record: &Record, event: Option<&Event>) -> Result<(), Fault> {
        let (format, origin, key, chain) = match event {
            Some(Event::Opened(opened)) => (&opened.format, &opened.origin, &opened.key, Chain::start()),
            Some(Event::Continued(continued)) => {
                let tree = Frontier::restore(record.seq(), continued.tree.clone()).ok_or(Fault::Tree)?;
                (&continued.format, &continued.origin, &continued.key, Chain::at(tree, record.prev()))
            }
            _ => return Err(Fault::Head),
        };
        if format != FORMAT {
            return Err(Fault::Format);
        }
        let key: NoteVerifier = key.parse().map_err(|_| Fault::Key)?;
        if !self.trust.keys.is_empty() && !self.trust.keys.contains(&key) {
            return Err(Fault::OtherKey { found: key.to_string() });
        }
        self.waiting = self.witnesses(&key, origin);
        self.log = Some(Known { origin: origin.clone(), key, first: chain.next(), chain });
        self.hear();
        Ok(())
    }

    fn witnesses(&mut self, key: &NoteVerifier, origin: &str) -> Vec<Witness> {
        let mut waiting = Vec::new();
        for (name, note) in &self.trust.witnesses {
            match Checkpoint::open(note, std::slice::from_ref(key), origin) {
                Ok(checkpoint) => {
                    waiting.push(Witness { name: name.clone(), checkpoint: Some(checkpoint), fault: None })
                }
                Err(error) => self.told.push(Witness {
                    name: name.clone(),
                    checkpoint: None,
                    fault: Some(WitnessFault::Checkpoint(error)),
                }),
            }
        }
        waiting
    }

    /// Hears the witnesses whose size has come.
    fn hear(&mut self) {
        let Some(log) = &self.log else { return };
        let tree = log.chain.tree();
        let is_due = |witness: &Witness| witness.checkpoint.as_ref().is_some_and(|known| known.size == tree.size());
        for mut witness in self.waiting.extract_if(.., |witness| is_due(witness)) {
            let agrees = witness.checkpoint.as_ref().is_some_and(|known| known.root == tree.root());
            witness.fault = (!agrees).then_some(WitnessFault::Root);
            self.told.push(witness);
        }
    }

    /// What came of it.
    pub fn finish(mut self) -> Examination {
        // A log that begins with an empty file is one without records, which nobody takes for good.
        if let Some(empty) = self.empty.take().filter(|_| self.log.is_some()) {
            self.damage(empty, 1, 0, Fault::Head);
        }
        let (first, next) = self.log.as_ref().map_or((0, 0), |log| (log.first, log.chain.next()));
        for mut witness in std::mem::take(&mut self.waiting) {
            let size = witness.checkpoint.as_ref().map_or(0, |known| known.size);
            witness.fault = Some(match (&self.damaged, size < first) {
                (_, true) => WitnessFault::BeforeTheFirst { first },
                (Some(_), _) => WitnessFault::NotReached,
                (None, _) => WitnessFault::Longer { records: next },
            });
            self.told.push(witness);
        }
        Examination {
            first,
            next,
            root: self.log.as_ref().map_or_else(|| Digest::of([]), |log| log.chain.tree().root()),
            origin: self.log.as_ref().map(|log| log.origin.clone()),
            key: self.log.map(|log| log.key),
            is_key_trusted: !self.trust.keys.is_empty(),
            good: self.good,
            damaged: self.damaged,
            unfinished: self.unfinished,
            witnesses: self.told,
            account: self.account.unwrap_or_default(),
        }
    }
}

/// Whether what a record says counts for the log itself. However it is written: whatever may be
/// such a record is understood.
fn is_about_the_log(record: &Record) -> bool {
    ["opened", "continued", "checkpoint"].iter().any(|kind| record.event_text().contains(kind))
}

/// Holds what the next record says of the log against what is known of it. Returns how much it
/// vouches for.
fn check(log: &Known, event: Option<&Event>, is_first: bool) -> Result<Option<u64>, Fault> {
    let (key, origin) = match event {
        Some(Event::Opened(opened)) => (&opened.key, &opened.origin),
        Some(Event::Continued(continued)) if is_first => {
            if continued.tree != log.chain.tree().hashes() {
                return Err(Fault::Tree);
            }
            (&continued.key, &continued.origin)
        }
        Some(Event::Continued(_)) => return Err(Fault::Head),
        Some(Event::Checkpoint(signed)) => return vouched(log, &signed.note).map(Some),
        _ if is_first => return Err(Fault::Head),
        _ => return Ok(None),
    };
    if *key != log.key.to_string() || *origin != log.origin {
        return Err(Fault::OtherKey { found: key.clone() });
    }
    Ok(None)
}

fn vouched(log: &Known, note: &str) -> Result<u64, Fault> {
    let checkpoint = Checkpoint::open(note, std::slice::from_ref(&log.key), &log.origin).map_err(Fault::Checkpoint)?;
    if checkpoint.size != log.chain.next() {
        return Err(Fault::CheckpointSize { found: checkpoint.size });
    }
    if checkpoint.root != log.chain.tree().root() {
        return Err(Fault::CheckpointRoot);
    }
    Ok(checkpoint.size)
}

#[cfg(test)]
mod tests;
