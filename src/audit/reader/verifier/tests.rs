//! Verification of a log of 1,000 records in three segments, intact and damaged in many ways.

use std::time::{Duration, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::*;
use crate::audit::evidence::record::RecordFault;
use crate::audit::{ChainFault, CheckpointError, NoteSigner};
use crate::event::{CheckpointSigned, LogClosed, LogContinued, LogOpened};

const ORIGIN: &str = "example/log";
const RECORDS: u64 = 1000;
/// Where the second and the third file begin.
const FILES: [u64; 2] = [400, 750];
/// The number of records between checkpoints.
const EVERY: u64 = 100;

fn signer(seed: u8) -> NoteSigner {
    NoteSigner::new(ORIGIN, Zeroizing::new([seed; 32])).unwrap()
}

fn opened(key: &NoteSigner) -> Event {
    Event::Opened(LogOpened {
        format: FORMAT.into(),
        origin: ORIGIN.into(),
        key: key.verifier().to_string(),
        writer: "a test".into(),
        pid: 1,
        mode: "required".into(),
        torn: Vec::new(),
    })
}

fn continued(key: &NoteSigner, chain: &Chain) -> Event {
    Event::Continued(LogContinued {
        format: FORMAT.into(),
        origin: ORIGIN.into(),
        key: key.verifier().to_string(),
        tree: chain.tree().hashes().to_vec(),
    })
}

fn note(key: &NoteSigner, chain: &Chain) -> String {
    Checkpoint::new(ORIGIN, chain.next(), chain.tree().root()).sign(key).unwrap()
}

/// A log: its lines, with their line feeds, and a checkpoint that was kept after each of them.
#[derive(Clone)]
struct TestLog {
    lines: Vec<Vec<u8>>,
    notes: Vec<String>,
}

/// Writes a log; `change` may replace the event of record `number`.
fn write(records: u64, key: &NoteSigner, change: impl Fn(u64) -> Option<Event>) -> TestLog {
    let (mut chain, mut written) = (Chain::start(), TestLog { lines: Vec::new(), notes: Vec::new() });
    for number in 0..records {
        let event = match number {
            0 => opened(key),
            number if FILES.contains(&number) => continued(key, &chain),
            number if number % EVERY == EVERY - 1 => Event::Checkpoint(CheckpointSigned { note: note(key, &chain) }),
            number => Event::application("test", [("number", number.to_string())]),
        };
        let mut line = Vec::new();
        let time = UNIX_EPOCH + Duration::from_secs(1_800_000_000 + number);
        assert!(chain.write(&mut line, time, &change(number).unwrap_or(event)));
        written.lines.push(line);
        written.notes.push(note(key, &chain));
    }
    written
}

fn trust() -> TrustAnchors {
    TrustAnchors::none().key(signer(1).verifier().clone())
}

/// A line, its file, and whether it is the first line of the file.
type Placed = (PathBuf, Line, bool);

/// Splits lines into files; the second and later files begin at `files`.
fn placed(lines: &[Vec<u8>], files: &[usize]) -> Vec<Placed> {
    let (mut placed, mut start) = (Vec::new(), 0);
    for end in files.iter().copied().chain([lines.len()]) {
        let bytes = lines[start..end].concat();
        let file = PathBuf::from(format!("log.{start}"));
        let found = LogLines::new(&file, &bytes[..]).map(Result::unwrap);
        placed.extend(found.enumerate().map(|(number, line)| (file.clone(), line, number == 0)));
        start = end;
    }
    placed
}

fn verify_files(lines: &[Vec<u8>], files: &[usize], trust: &TrustAnchors) -> VerificationReport {
    let mut verifier = LogVerifier::new(trust);
    let mut start = 0;
    for end in files.iter().copied().chain([lines.len()]) {
        let bytes = lines[start..end].concat();
        verifier.segment(LogLines::new(format!("log.{start}"), &bytes[..]), &mut |_, _| ()).unwrap();
        start = end;
    }
    verifier.finish()
}

fn files() -> [usize; 2] {
    FILES.map(|first| first as usize)
}

/// The damage in a log that must not be intact.
fn damaged(lines: &[Vec<u8>], files: &[usize]) -> Damaged {
    let found = verify_files(lines, files, &trust());
    assert!(!found.is_intact());
    found.damaged.unwrap()
}

/// A log and the state of its verification before each line, so that a test that changes a line
/// need not verify the log from the beginning.
struct Walk<'t> {
    lines: Vec<Vec<u8>>,
    placed: Vec<Placed>,
    stops: Vec<LogVerifier<'t>>,
}

impl<'t> Walk<'t> {
    fn through(written: &TestLog, trust: &'t TrustAnchors) -> Self {
        let placed = placed(&written.lines, &files());
        let mut stops = vec![LogVerifier::new(trust)];
        for (file, line, is_first) in &placed {
            let mut next = stops.last().unwrap().clone();
            next.line(file, line, Record::parse(&line.bytes), *is_first);
            stops.push(next);
        }
        Self { lines: written.lines.clone(), placed, stops }
    }

    /// The damage in changed lines; the lines before `same` are unchanged.
    fn damaged(&self, same: usize, lines: &[Vec<u8>], files: &[usize]) -> Damaged {
        let changed = placed(lines, files);
        assert!(changed[..same] == self.placed[..same]);
        let mut verifier = self.stops[same].clone();
        for (file, line, is_first) in &changed[same..] {
            verifier.line(file, line, Record::parse(&line.bytes), *is_first);
            if let Some(damaged) = verifier.damaged {
                return damaged;
            }
        }
        panic!("no damage was found")
    }
}

/// The file and the line in it, counted from one, of the line `at` of all.
fn line_of(at: usize, files: &[usize]) -> (String, u64) {
    let start = files.iter().copied().filter(|first| *first <= at).max().unwrap_or(0);
    (format!("log.{start}"), (at - start) as u64 + 1)
}

fn assert_named(found: &Damaged, at: usize, seq: usize, files: &[usize]) {
    let (file, line) = line_of(at, files);
    assert_eq!((found.file.to_str().unwrap(), found.line, found.index), (file.as_str(), line, seq as u64), "{found:?}");
}

#[test]
fn unchanged_log_is_intact() {
    let written = write(RECORDS, &signer(1), |_| None);
    let found = verify_files(&written.lines, &files(), &trust());
    assert!(found.is_intact(), "{found:?}");
    assert_eq!((found.first, found.next, found.good.covered), (0, RECORDS, Some(RECORDS - 1)));
    assert_eq!((found.origin.as_deref(), found.is_key_trusted), (Some(ORIGIN), true));
    assert_eq!(found.good.first_time.as_deref(), Some("2027-01-15T08:00:00.000000Z"));
    assert_eq!((found.totals.checkpoints, found.totals.openings), (10, 1));
    let unknown = verify_files(&written.lines, &files(), &TrustAnchors::none());
    assert!(unknown.is_intact() && !unknown.is_key_trusted);
    let nothing = verify_files(&[], &[], &trust());
    assert!(!nothing.is_intact() && nothing.damaged.is_none(), "an empty log proves nothing");
}

#[test]
fn changed_byte_names_its_record() {
    let trust = trust();
    let walk = Walk::through(&write(RECORDS, &signer(1), |_| None), &trust);
    for at in 0..walk.lines.len() {
        let mut lines = walk.lines[..=at].to_vec();
        let files: Vec<_> = files().into_iter().filter(|first| *first <= at).collect();
        let place = at * 31 % (lines[at].len() - 1);
        lines[at][place] ^= 1;
        // A line feed in the middle splits the line; the first half is the damaged one.
        assert_named(&walk.damaged(at, &lines, &files), at, at, &files);
    }
    for at in [0, 1, 99, 400, 750, 999] {
        let files: Vec<_> = files().into_iter().filter(|first| *first <= at).collect();
        let (_, line, is_first) = &walk.placed[at];
        for place in 0..line.bytes.len() {
            for bit in [0, 5, 7] {
                let mut changed = line.clone();
                changed.bytes[place] ^= 1 << bit;
                let mut verifier = walk.stops[at].clone();
                let (file, _, _) = &walk.placed[at];
                verifier.line(file, &changed, Record::parse(&changed.bytes), *is_first);
                assert_named(&verifier.damaged.unwrap(), at, at, &files);
            }
        }
    }
}

#[test]
fn missing_record_is_named() {
    let trust = trust();
    let walk = Walk::through(&write(RECORDS, &signer(1), |_| None), &trust);
    for at in 0..walk.lines.len() - 1 {
        let mut lines = walk.lines.clone();
        lines.remove(at);
        let files = files().map(|first| if first > at { first - 1 } else { first });
        let found = walk.damaged(at, &lines, &files);
        assert_named(&found, at, at, &files);
        let expected = ChainFault::Index { expected: at as u64, found: at as u64 + 1 };
        assert!(at == 0 || found.fault == LogFault::Chain(expected), "{found:?}");
    }
}

#[test]
fn swapped_records_name_the_first() {
    let trust = trust();
    let walk = Walk::through(&write(RECORDS, &signer(1), |_| None), &trust);
    for at in 0..walk.lines.len() - 1 {
        let mut lines = walk.lines.clone();
        lines.swap(at, at + 1);
        assert_named(&walk.damaged(at, &lines, &files()), at, at, &files());
    }
}

#[test]
fn duplicated_record_names_the_second() {
    let trust = trust();
    let walk = Walk::through(&write(RECORDS, &signer(1), |_| None), &trust);
    for at in 0..walk.lines.len() {
        let mut lines = walk.lines.clone();
        lines.insert(at + 1, lines[at].clone());
        let files = files().map(|first| if first > at { first + 1 } else { first });
        assert_named(&walk.damaged(at + 1, &lines, &files), at + 1, at + 1, &files);
    }
}

#[test]
fn inserted_record_is_named() {
    let trust = trust();
    let walk = Walk::through(&write(RECORDS, &signer(1), |_| None), &trust);
    let forge = |number: u64| Some(Event::application("forged", [("n", number.to_string())]));
    let others = write(RECORDS + 1, &signer(1), forge);
    let mut chain = Chain::start();
    for at in 0..walk.lines.len() {
        let files = files().map(|first| if first > at { first + 1 } else { first });
        // A record of another log with this index, and a record of this log from another place.
        for forged in [&others.lines[at], &walk.lines[(at + 500) % walk.lines.len()]] {
            let mut lines = walk.lines.clone();
            lines.insert(at, forged.clone());
            assert_named(&walk.damaged(at, &lines, &files), at, at, &files);
        }
        // A record that is forged for this place follows the record before it, but the next record
        // does not follow the forged one.
        let mut forged = Vec::new();
        chain.clone().write(&mut forged, UNIX_EPOCH, &Event::Closed(LogClosed { pid: 1 }));
        let mut lines = walk.lines.clone();
        lines.insert(at, forged);
        let named = if at == 0 || FILES.contains(&(at as u64)) { at } else { at + 1 };
        assert_named(&walk.damaged(at, &lines, &files), named, named, &files);
        let line = &walk.lines[at];
        chain.follow(&Record::parse(&line[..line.len() - 1]).unwrap()).unwrap();
    }
}

#[test]
fn next_checkpoint_reveals_rewritten_log() {
    let key = signer(1);
    let written = write(RECORDS, &key, |_| None);
    for at in (1..RECORDS).step_by(131) {
        // The attacker has no key, so the checkpoints stay unchanged.
        let original = |number: u64| {
            let line = &written.lines[number as usize];
            Record::parse(&line[..line.len() - 1]).unwrap().event()
        };
        let anew = write(RECORDS, &key, |number| match number {
            number if number == at => Some(Event::application("changed", [("a", "b")])),
            number if FILES.contains(&number) => None,
            number => original(number),
        });
        let next = (at..RECORDS).find(|number| number % EVERY == EVERY - 1 && *number > at);
        let Some(next) = next else { continue };
        let next = next as usize;
        let found = damaged(&anew.lines, &files());
        assert_named(&found, next, next, &files());
        assert_eq!(found.fault, LogFault::CheckpointRoot);
        let before = (0..at).rev().find(|number| number % EVERY == EVERY - 1 && !FILES.contains(number));
        assert_eq!(found.covered, before, "records after the last good checkpoint are not covered");
    }
}

#[test]
fn trusted_key_reveals_log_rewritten_with_another() {
    let theirs = write(RECORDS, &signer(2), |_| None);
    let other = LogFault::OtherKey { found: signer(2).verifier().to_string() };
    assert_eq!(damaged(&theirs.lines, &files()).fault, other);
    assert!(verify_files(&theirs.lines, &files(), &TrustAnchors::none()).is_intact(), "it is consistent with itself");
    // Another key from some record on.
    let key = signer(2);
    let changed = write(RECORDS, &signer(1), |number| {
        (number == 199).then(|| {
            Event::Checkpoint(CheckpointSigned {
                note: Checkpoint::new(ORIGIN, 199, Digest::of("")).sign(&key).unwrap(),
            })
        })
    });
    let found = damaged(&changed.lines, &files());
    assert!(found.index == 199 && matches!(found.fault, LogFault::Checkpoint(CheckpointError::Note(_))), "{found:?}");
    for at in [150, 400, 450] {
        let again = write(RECORDS, &signer(1), |number| (number == at).then(|| opened(&signer(2))));
        let found = damaged(&again.lines, &files());
        assert_eq!((found.index, &found.fault), (at, &other));
    }
}

#[test]
fn kept_checkpoint_reveals_truncated_log() {
    let written = write(RECORDS, &signer(1), |_| None);
    let kept = |size: usize| trust().checkpoint("kept", &written.notes[size - 1]);
    let last = kept(written.lines.len());
    let walk = Walk::through(&written, &last);
    for end in 1..written.lines.len() {
        let found = walk.stops[end].clone().finish();
        assert!(!found.is_intact() && found.damaged.is_none());
        assert_eq!(found.trusted_checkpoints[0].fault, Some(CheckpointMismatch::Truncated { records: end as u64 }));
    }
    assert!(walk.stops[written.lines.len()].clone().finish().is_intact());
    let half = &written.lines[..500];
    assert!(verify_files(half, &[400], &trust()).is_intact(), "without a checkpoint the truncation is unknown");
    assert!(verify_files(half, &[400], &kept(500)).is_intact());
    let anew = write(RECORDS, &signer(1), |number| (number == 5).then(|| Event::application("changed", [("a", "b")])));
    let found = verify_files(&anew.lines, &files(), &kept(50));
    assert_eq!(found.trusted_checkpoints[0].fault, Some(CheckpointMismatch::Root), "even with the key of the log");
    let theirs = trust().checkpoint("theirs", note(&signer(2), &Chain::start()));
    let found = verify_files(&written.lines, &files(), &theirs);
    assert!(matches!(found.trusted_checkpoints[0].fault, Some(CheckpointMismatch::Invalid(_))));
    let mut broken = written.lines.clone();
    broken[10][20] ^= 1;
    assert_eq!(
        verify_files(&broken, &files(), &kept(50)).trusted_checkpoints[0].fault,
        Some(CheckpointMismatch::NotReached)
    );
    assert_eq!(verify_files(&broken, &files(), &kept(10)).trusted_checkpoints[0].fault, None);
}

#[test]
fn log_without_older_files_verifies_from_its_start() {
    let written = write(RECORDS, &signer(1), |_| None);
    let lines = &written.lines[400..];
    let found = verify_files(lines, &[350], &trust().checkpoint("kept", &written.notes[499]));
    assert!(found.is_intact(), "{found:?}");
    assert_eq!((found.first, found.next), (400, RECORDS));
    let early = verify_files(lines, &[350], &trust().checkpoint("kept", &written.notes[99]));
    assert_eq!(early.trusted_checkpoints[0].fault, Some(CheckpointMismatch::BeforeFirstRecord { first: 400 }));
    // The next checkpoint signs the tree hashes that `continued` states.
    let mut forged = Vec::new();
    let mut tree = CompactRange::empty();
    (0..400_u64).for_each(|leaf| tree.append(Digest::of(leaf.to_be_bytes())));
    let mut chain = Chain::at(tree, Digest::of("before"));
    let mut events = vec![continued(&signer(1), &chain)];
    events
        .extend(written.lines[401..].iter().filter_map(|line| Record::parse(&line[..line.len() - 1]).unwrap().event()));
    for event in events.iter().take(300) {
        let mut line = Vec::new();
        chain.write(&mut line, UNIX_EPOCH, event);
        forged.push(line);
    }
    assert_eq!(damaged(&forged, &[]).fault, LogFault::CheckpointRoot);
}

#[test]
fn only_the_last_segment_may_be_incomplete() {
    let written = write(RECORDS, &signer(1), |_| None);
    assert_eq!(damaged(&written.lines[1..], &[]).fault, LogFault::SegmentStart);
    assert_eq!(damaged(&written.lines, &[]).fault, LogFault::SegmentStart, "`continued` in the middle of a segment");
    assert_eq!(
        damaged(&written.lines, &[300, 400, 750]).fault,
        LogFault::SegmentStart,
        "a segment that begins with another record"
    );
    let stated = write(RECORDS, &signer(1), |number| (number == 400).then(|| continued(&signer(1), &Chain::start())));
    assert_eq!(damaged(&stated.lines, &files()).fault, LogFault::Tree);
    let other = write(2, &signer(1), |number| {
        (number == 0).then(|| match opened(&signer(1)) {
            Event::Opened(opened) => Event::Opened(LogOpened { format: "portcullis-audit/2".into(), ..opened }),
            other => other,
        })
    });
    assert_eq!(damaged(&other.lines, &[]).fault, LogFault::Format);
    let mut cut = written.lines.clone();
    cut.last_mut().unwrap().truncate(40);
    let found = verify_files(&cut, &files(), &trust());
    assert!(!found.is_intact() && found.damaged.is_none());
    let unfinished = found.torn_tail.unwrap();
    assert_eq!((unfinished.line, unfinished.bytes, found.next), (250, 40, RECORDS - 1));
    let mut cut = written.lines.clone();
    cut[399].truncate(40);
    let found = damaged(&cut, &files());
    assert_named(&found, 399, 399, &files());
    assert_eq!(found.fault, LogFault::TornTail);
    let mut garbage = written.lines.clone();
    garbage[3] = b"garbage\n".to_vec();
    assert_eq!(damaged(&garbage, &files()).fault, LogFault::Record(RecordFault::Form));
}

#[test]
fn checkpoints_over_another_size_are_found() {
    let key = signer(1);
    let wrong = write(RECORDS, &key, |number| {
        (number == 150).then(|| Event::Checkpoint(CheckpointSigned { note: note(&key, &Chain::start()) }))
    });
    assert_eq!(damaged(&wrong.lines, &files()).fault, LogFault::CheckpointSize { found: 0 });
}

#[test]
fn only_verified_records_are_displayed_as_good() {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let mut written = write(20, &signer(1), |_| None);
    // The next record has a correct hash of its own, but it is in the wrong place.
    written.lines.remove(7);
    std::fs::write(&log, written.lines.concat()).unwrap();
    let mut seen = Vec::new();
    let found = verify_records(&log, &trust(), |record| seen.push(record.index())).unwrap();
    assert_eq!((seen, found.next), ((0..7).collect(), 7));
    let mut lines = 0;
    assert!(verify_lines(&log, &trust(), |_, record| lines += u64::from(record.is_some())).unwrap().damaged.is_some());
    assert_eq!(lines, 19);
}

#[test]
fn uncovered_records_are_counted() {
    let written = write(RECORDS, &signer(1), |_| None);
    let uncovered = |lines: &[Vec<u8>], trust: &TrustAnchors| {
        let found = verify_files(lines, &[], trust);
        assert!(found.is_intact(), "{found:?}");
        found.uncovered()
    };
    for (records, expected) in [(1, 1), (99, 99), (100, 0), (101, 1), (350, 50), (400, 0)] {
        assert_eq!(uncovered(&written.lines[..records], &trust()), expected as u64, "{records}");
    }
    let kept = trust().checkpoint("kept", &written.notes[149]).checkpoint("older", &written.notes[19]);
    assert_eq!((uncovered(&written.lines[..180], &kept), uncovered(&written.lines[..200], &kept)), (30, 0));
    assert_eq!(uncovered(&written.lines[..150], &kept), 0);
    // An attacker without the key writes a whole log that names the key.
    let forged = write(RECORDS, &signer(1), |number| (number > 0).then(|| Event::application("forged", [("a", "b")])));
    assert_eq!(uncovered(&forged.lines, &trust()), RECORDS);
    let found = verify_files(&written.lines[400..450], &[], &trust());
    assert_eq!((found.first, found.uncovered()), (400, 50), "the first segments are missing");
    assert_eq!(verify_files(&[], &[], &trust()).uncovered(), 0);
}

#[test]
fn empty_file_among_others_is_damage() {
    let written = write(RECORDS, &signer(1), |_| None);
    for (files, empty) in [(&[400, 750, 1000][..], 1000), (&[400, 400, 750], 400), (&[0, 400, 750], 0)] {
        let found = damaged(&written.lines, files);
        let place = (found.file.to_str().unwrap(), found.line, found.offset, found.index);
        assert_eq!(place, (format!("log.{empty}").as_str(), 1, 0, empty), "{files:?}");
        assert_eq!(found.fault, LogFault::SegmentStart);
    }
}

#[test]
fn long_method_names_are_cut() {
    let mut totals = LogTotals::default();
    let call = |number: u64, method: String| {
        let request = crate::event::MessageTally::default();
        let launch = crate::event::LaunchId::new(1);
        Some(Event::Call(crate::event::CallIntent {
            launch,
            call: number,
            method,
            arguments: Default::default(),
            request,
        }))
    };
    totals.add(1, call(1, "m".repeat(60_000)));
    totals.add(2, call(2, "/test.Kv/Get".into()));
    let methods: Vec<_> = totals.open_calls().map(|(_, _, call)| call.method.as_str()).collect();
    assert_eq!((methods[0].len(), methods[1]), (1024 + '…'.len_utf8(), "/test.Kv/Get"));
}

#[test]
fn log_rotated_during_reading_is_read_consistently() {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let written = write(RECORDS, &signer(1), |_| None);
    let [second, third] = files();
    let full = |first: usize| place.path().join(format!("log.{first:020}"));
    std::fs::write(full(0), written.lines[..second].concat()).unwrap();
    std::fs::write(&log, written.lines[second..third].concat()).unwrap();
    let reading = crate::audit::reader::read::segments(&log).unwrap();
    std::fs::rename(&log, full(second)).unwrap();
    std::fs::write(&log, written.lines[third..].concat()).unwrap();
    let trust = trust();
    let mut verifier = LogVerifier::new(&trust);
    for lines in reading {
        verifier.segment(lines.unwrap(), &mut |_, _| ()).unwrap();
    }
    let found = verifier.finish();
    assert!(found.is_intact() && found.next == third as u64, "{found:?}");
    // A writer that is killed during a rotation leaves one file with both names, which is valid.
    std::fs::hard_link(&log, full(third)).unwrap();
    let found = verify(&log, &trust).unwrap();
    assert!(found.is_intact() && found.next == RECORDS, "{found:?}");
}
