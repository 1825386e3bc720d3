//! Verifies a log: the hash and place of every record, every checkpoint in it, and the checkpoints
//! that the caller kept elsewhere. Reports the first record that is not good. Changes no file.

mod report;
mod totals;

use std::io::BufRead;
use std::path::{Path, PathBuf};

pub use report::{CheckpointMismatch, Damaged, IncompleteLine, LogFault, TrustedCheckpoint, VerificationReport};
pub use totals::{LogTotals, OpenCall};

use self::report::GoodRecords;
use super::read::{Line, LogLines, ReadError, segments};
use crate::Digest;
use crate::audit::evidence::chain::Chain;
use crate::audit::evidence::checkpoint::Checkpoint;
use crate::audit::evidence::note::NoteVerifier;
use crate::audit::evidence::record::{Record, RecordFault};
use crate::audit::evidence::tree::CompactRange;
use crate::event::{Event, FORMAT};

/// The caller's trust anchors for a log: keys, and checkpoints that were kept outside the log.
#[derive(Debug, Clone, Default)]
pub struct TrustAnchors {
    keys: Vec<NoteVerifier>,
    /// Name and signed note of each checkpoint.
    checkpoints: Vec<(String, String)>,
}

impl TrustAnchors {
    /// No trust anchor: verification then only shows that the log is consistent with itself, and a
    /// log that was rewritten and signed with another key passes.
    pub fn none() -> Self {
        Self::default()
    }

    /// Trusts a key. The log must be signed with one of the trusted keys.
    pub fn key(mut self, key: NoteVerifier) -> Self {
        self.keys.push(key);
        self
    }

    /// Adds a checkpoint that was kept outside the log. `name` identifies it in the report.
    pub fn checkpoint(mut self, name: impl Into<String>, note: impl Into<String>) -> Self {
        self.checkpoints.push((name.into(), note.into()));
        self
    }
}

/// Verifies the log at `path` with all its segments.
///
/// # Errors
///
/// When a file cannot be read. Damage is in the report.
pub fn verify(path: impl AsRef<Path>, trust: &TrustAnchors) -> Result<VerificationReport, ReadError> {
    verify_lines(path, trust, |_, _| ())
}

/// Verifies the log at `path` and passes each line to `visit` after checking it, with its record if
/// it parses. That includes lines after the first damage.
///
/// # Errors
///
/// When a file cannot be read.
pub fn verify_lines(
    path: impl AsRef<Path>,
    trust: &TrustAnchors,
    mut visit: impl FnMut(&Line, Option<&Record>),
) -> Result<VerificationReport, ReadError> {
    let mut verifier = LogVerifier::new(trust);
    for lines in segments(path)? {
        verifier.segment(lines?, &mut visit)?;
    }
    Ok(verifier.finish())
}

/// Verifies the log at `path` and passes each good record to `visit`: in its place, with no damage
/// before it.
///
/// # Errors
///
/// When a file cannot be read.
pub fn verify_records(
    path: impl AsRef<Path>,
    trust: &TrustAnchors,
    mut visit: impl FnMut(&Record),
) -> Result<VerificationReport, ReadError> {
    let mut verifier = LogVerifier::new(trust);
    for lines in segments(path)? {
        verifier.read(lines?, &mut |_, _| (), &mut visit)?;
    }
    Ok(verifier.finish())
}

/// Verifies a log segment by segment, in the order of its records.
#[derive(Clone)]
pub struct LogVerifier<'t> {
    trust: &'t TrustAnchors,
    /// The good records so far; `None` before the first.
    prefix: Option<VerifiedPrefix>,
    good: GoodRecords,
    damaged: Option<Damaged>,
    torn_tail: Option<IncompleteLine>,
    /// The last segment, while no line of it was read.
    empty: Option<PathBuf>,
    /// Trusted checkpoints over more records than were read so far.
    pending: Vec<TrustedCheckpoint>,
    compared: Vec<TrustedCheckpoint>,
    /// `None` if the caller needs no counts.
    totals: Option<LogTotals>,
}

/// The good records of a log up to a point.
#[derive(Clone)]
struct VerifiedPrefix {
    origin: String,
    key: NoteVerifier,
    first: u64,
    chain: Chain,
}

impl<'t> LogVerifier<'t> {
    /// A verifier that has read nothing yet.
    pub fn new(trust: &'t TrustAnchors) -> Self {
        Self {
            trust,
            prefix: None,
            good: GoodRecords::default(),
            damaged: None,
            torn_tail: None,
            empty: None,
            pending: Vec::new(),
            compared: Vec::new(),
            totals: Some(LogTotals::default()),
        }
    }

    /// A verifier without [`LogTotals`], for a writer that continues the log. Parsing each event
    /// for the totals takes most of the time of a verification.
    pub(crate) fn without_totals(trust: &'t TrustAnchors) -> Self {
        Self { totals: None, ..Self::new(trust) }
    }

    /// The index of the first record and the chain after the last good one. `None` if no record is
    /// good.
    pub(crate) fn chain(&self) -> Option<(u64, Chain)> {
        self.prefix.as_ref().map(|prefix| (prefix.first, prefix.chain.clone()))
    }

    /// Verifies the next segment and passes its lines to `visit`.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn segment<R: BufRead>(
        &mut self,
        lines: LogLines<R>,
        visit: &mut impl FnMut(&Line, Option<&Record>),
    ) -> Result<(), ReadError> {
        self.read(lines, visit, &mut |_| ())
    }

    fn read<R: BufRead>(
        &mut self,
        mut lines: LogLines<R>,
        visit: &mut impl FnMut(&Line, Option<&Record>),
        visit_good: &mut impl FnMut(&Record),
    ) -> Result<(), ReadError> {
        // The writer completes a segment before it starts the next: only the newest one may end
        // within a line or be empty.
        if let Some(tail) = self.torn_tail.take() {
            self.damage(tail.file, tail.line, tail.offset, LogFault::TornTail);
        }
        let path = lines.path().to_path_buf();
        if let Some(empty) = self.empty.replace(path.clone()) {
            self.damage(empty, 1, 0, LogFault::SegmentStart);
        }
        let mut is_first = true;
        while let Some(line) = lines.next().transpose()? {
            self.empty = None;
            let record = Record::parse(&line.bytes);
            visit(&line, record.as_ref().ok());
            if let Some(record) = self.line(&path, &line, record, is_first) {
                visit_good(&record);
            }
            is_first = false;
        }
        Ok(())
    }

    /// Verifies the next line and returns its record if it is good. After the first damage no
    /// record is good: its place in the chain cannot be checked.
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
            self.torn_tail = Some(IncompleteLine { file: file.to_path_buf(), line: number, offset, bytes });
            return None;
        }
        let checked =
            record.map_err(LogFault::Record).and_then(|record| self.record(&record, is_first).map(|()| record));
        checked.map_err(|fault| self.damage(file.to_path_buf(), line.number, line.offset, fault)).ok()
    }

    /// Keeps the first damage; later damage may only follow from it.
    fn damage(&mut self, file: PathBuf, line: u64, offset: u64, fault: LogFault) {
        if self.damaged.is_some() {
            return;
        }
        let index = self.prefix.as_ref().map_or(0, |prefix| prefix.chain.next());
        self.damaged = Some(Damaged { file, line, offset, index, covered: self.good.covered, fault });
    }

    fn record(&mut self, record: &Record, is_first: bool) -> Result<(), LogFault> {
        let event = if self.totals.is_some() || is_about_the_log(record) { record.event() } else { None };
        if self.prefix.is_none() {
            self.begin(record, event.as_ref())?;
        }
        let Some(prefix) = &mut self.prefix else { return Err(LogFault::SegmentStart) };
        prefix.chain.admit(record).map_err(LogFault::Chain)?;
        let covered = check_log_event(prefix, event.as_ref(), is_first)?;
        prefix.chain.follow(record).map_err(LogFault::Chain)?;
        self.good.covered = covered.or(self.good.covered);
        self.good.add(record);
        if let Some(totals) = &mut self.totals {
            totals.add(record.index(), event);
        }
        self.compare_checkpoints();
        Ok(())
    }

    /// Takes origin, key and format from the first record. A `continued` record also brings the
    /// compact range over the records of earlier segments, which may have been moved away.
    fn begin(&mut self, record: &Record, event: Option<&Event>) -> Result<(), LogFault> {
        let (format, origin, key, chain) = match event {
            Some(Event::Opened(opened)) => (&opened.format, &opened.origin, &opened.key, Chain::start()),
            Some(Event::Continued(continued)) => {
                let tree = CompactRange::restore(record.index(), continued.tree.clone()).ok_or(LogFault::Tree)?;
                (&continued.format, &continued.origin, &continued.key, Chain::at(tree, record.prev()))
            }
            _ => return Err(LogFault::SegmentStart),
        };
        if format != FORMAT {
            return Err(LogFault::Format);
        }
        let key: NoteVerifier = key.parse().map_err(|_| LogFault::Key)?;
        if !self.trust.keys.is_empty() && !self.trust.keys.contains(&key) {
            return Err(LogFault::OtherKey { found: key.to_string() });
        }
        self.open_checkpoints(&key, origin);
        self.prefix = Some(VerifiedPrefix { origin: origin.clone(), key, first: chain.next(), chain });
        self.compare_checkpoints();
        Ok(())
    }

    /// Opens the trusted checkpoints with the key of the log.
    fn open_checkpoints(&mut self, key: &NoteVerifier, origin: &str) {
        for (name, note) in &self.trust.checkpoints {
            let name = name.clone();
            match Checkpoint::open(note, std::slice::from_ref(key), origin) {
                Ok(checkpoint) => {
                    self.pending.push(TrustedCheckpoint { name, checkpoint: Some(checkpoint), fault: None });
                }
                Err(error) => {
                    let fault = Some(CheckpointMismatch::Invalid(error));
                    self.compared.push(TrustedCheckpoint { name, checkpoint: None, fault });
                }
            }
        }
    }

    /// Compares the trusted checkpoints that cover exactly the records so far with the tree. The
    /// compact range gives the root of this size only, so no size may be skipped.
    fn compare_checkpoints(&mut self) {
        let Some(prefix) = &self.prefix else { return };
        let tree = prefix.chain.tree();
        let is_due = |trusted: &TrustedCheckpoint| trusted.checkpoint.as_ref().is_some_and(|it| it.size == tree.size());
        for mut trusted in self.pending.extract_if(.., |trusted| is_due(trusted)) {
            let agrees = trusted.checkpoint.as_ref().is_some_and(|it| it.root == tree.root());
            trusted.fault = (!agrees).then_some(CheckpointMismatch::Root);
            self.compared.push(trusted);
        }
    }

    /// Ends the verification.
    pub fn finish(mut self) -> VerificationReport {
        // A log that is one empty file has no records; it is not intact because it has no origin.
        if let Some(empty) = self.empty.take().filter(|_| self.prefix.is_some()) {
            self.damage(empty, 1, 0, LogFault::SegmentStart);
        }
        let (first, next) = self.prefix.as_ref().map_or((0, 0), |prefix| (prefix.first, prefix.chain.next()));
        for mut trusted in std::mem::take(&mut self.pending) {
            let size = trusted.checkpoint.as_ref().map_or(0, |it| it.size);
            trusted.fault = Some(match (&self.damaged, size < first) {
                (_, true) => CheckpointMismatch::BeforeFirstRecord { first },
                (Some(_), _) => CheckpointMismatch::NotReached,
                (None, _) => CheckpointMismatch::Truncated { records: next },
            });
            self.compared.push(trusted);
        }
        VerificationReport {
            first,
            next,
            root: self.prefix.as_ref().map_or_else(|| Digest::of([]), |prefix| prefix.chain.tree().root()),
            origin: self.prefix.as_ref().map(|prefix| prefix.origin.clone()),
            key: self.prefix.map(|prefix| prefix.key),
            is_key_trusted: !self.trust.keys.is_empty(),
            good: self.good,
            damaged: self.damaged,
            torn_tail: self.torn_tail,
            trusted_checkpoints: self.compared,
            totals: self.totals.unwrap_or_default(),
        }
    }
}

/// Whether a record may be about the log itself, so that its event must be parsed. Searches the
/// text for the words, which costs less than parsing it.
fn is_about_the_log(record: &Record) -> bool {
    ["opened", "continued", "checkpoint"].iter().any(|kind| record.event_text().contains(kind))
}

/// Checks an event about the log itself against the records before it. Returns the number of
/// records that it covers, if it is a checkpoint.
fn check_log_event(prefix: &VerifiedPrefix, event: Option<&Event>, is_first: bool) -> Result<Option<u64>, LogFault> {
    let (key, origin) = match event {
        Some(Event::Opened(opened)) => (&opened.key, &opened.origin),
        Some(Event::Continued(continued)) if is_first => {
            if continued.tree != prefix.chain.tree().hashes() {
                return Err(LogFault::Tree);
            }
            (&continued.key, &continued.origin)
        }
        Some(Event::Continued(_)) => return Err(LogFault::SegmentStart),
        Some(Event::Checkpoint(signed)) => return check_checkpoint(prefix, &signed.note).map(Some),
        _ if is_first => return Err(LogFault::SegmentStart),
        _ => return Ok(None),
    };
    if *key != prefix.key.to_string() || *origin != prefix.origin {
        return Err(LogFault::OtherKey { found: key.clone() });
    }
    Ok(None)
}

fn check_checkpoint(prefix: &VerifiedPrefix, note: &str) -> Result<u64, LogFault> {
    let checkpoint = Checkpoint::open(note, std::slice::from_ref(&prefix.key), &prefix.origin);
    let checkpoint = checkpoint.map_err(LogFault::Checkpoint)?;
    if checkpoint.size != prefix.chain.next() {
        return Err(LogFault::CheckpointSize { found: checkpoint.size });
    }
    if checkpoint.root != prefix.chain.tree().root() {
        return Err(LogFault::CheckpointRoot);
    }
    Ok(checkpoint.size)
}

#[cfg(test)]
mod tests;
