//! Logs: reported damage is at the named place, good records form a chain from the start, and
//! covered records are the signed ones. An attacker without the key who changes, drops, adds or
//! moves records and recomputes every hash is detected.

use std::ops::Range;
use std::path::Path;

use portcullis::audit::Record;
use portcullis::audit::read::LogLines;
use portcullis::audit::verifier::{Damaged, LogVerifier, TrustAnchors, VerificationReport};
use portcullis::event::Event;
use portcullis::verify::Digest;

use super::display;
use super::sample_log::{KEPT, SAMPLE, SECOND_FILE, leaf, own_hash, root, sealed};

/// Whether `bytes` give an intact log, either as they are or after rewriting: a line that is not a
/// record is taken as an event and becomes the next record, and `%` begins another file.
pub fn check(bytes: &[u8]) -> bool {
    let as_it_is = log(&[bytes.to_vec()]);
    let written = log(&written(bytes));
    as_it_is || written
}

/// The files that an attacker without the key can write, who can compute every hash.
fn written(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut files, mut next, mut prev) = (vec![Vec::new()], 0, "0".repeat(64));
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let (text, end) = line.strip_suffix(b"\n").map_or((line, &b""[..]), |text| (text, b"\n"));
        if text == b"%" {
            files.push(Vec::new());
            continue;
        }
        let line = match str::from_utf8(text) {
            Ok(event) if !event.starts_with(r#"{"v":"#) => sealed(next, &prev, event).into_bytes(),
            _ => text.to_vec(),
        };
        if let Ok(record) = Record::parse(&line) {
            (next, prev) = (record.index().wrapping_add(1), own_hash(record.line()));
        }
        let file = files.last_mut().expect("a file");
        file.extend_from_slice(&line);
        file.extend_from_slice(end);
    }
    files
}

/// The lines of all files without their line feeds, and the place of each.
struct Placed<'a> {
    lines: Vec<&'a [u8]>,
    places: Vec<(usize, u64, u64)>,
    /// Whether each line ends in a line feed.
    whole: Vec<bool>,
    /// The files without lines.
    empty: Vec<usize>,
}

impl<'a> Placed<'a> {
    fn of(files: &'a [Vec<u8>]) -> Self {
        let mut placed = Self { lines: Vec::new(), places: Vec::new(), whole: Vec::new(), empty: Vec::new() };
        for (file, bytes) in files.iter().enumerate() {
            if bytes.is_empty() {
                placed.empty.push(file);
            }
            let mut offset = 0;
            for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
                let text = line.strip_suffix(b"\n");
                placed.lines.push(text.unwrap_or(line));
                placed.places.push((file, number as u64 + 1, offset));
                placed.whole.push(text.is_some());
                offset += line.len() as u64;
            }
        }
        placed
    }
}

fn log(files: &[Vec<u8>]) -> bool {
    let placed = Placed::of(files);
    let itself = verify(files, &TrustAnchors::none());
    is_there(&itself, &placed);
    follows(&itself, &placed);
    let trust = TrustAnchors::none().key(SAMPLE.key.clone()).checkpoint("kept", SAMPLE.kept());
    let found = verify(files, &trust);
    is_there(&found, &placed);
    is_signed(&found, &placed);
    assert!(itself.is_intact() || !found.is_intact(), "trust makes a bad log intact");
    found.is_intact()
}

fn verify(files: &[Vec<u8>], trust: &TrustAnchors) -> VerificationReport {
    let mut verifier = LogVerifier::new(trust);
    let mut seen = 0;
    for (number, file) in files.iter().enumerate() {
        let lines = LogLines::new(format!("log.{number}"), &file[..]);
        verifier.segment(lines, &mut |_, _| seen += 1).expect("bytes in memory can be read");
    }
    let lines: usize = files.iter().map(|file| file.split_inclusive(|byte| *byte == b'\n').count()).sum();
    assert_eq!(seen, lines, "every line is passed to the callback");
    verifier.finish()
}

fn is_file(path: &Path, number: Option<usize>) -> bool {
    number.is_some_and(|number| path.to_str() == Some(&format!("log.{number}")))
}

/// The number of good records, which is also the index of the next line.
fn good(found: &VerificationReport) -> usize {
    usize::try_from(found.next - found.first).expect("at most the number of lines")
}

/// The report is about existing lines.
fn is_there(found: &VerificationReport, placed: &Placed<'_>) {
    let good = good(found);
    assert!(good <= placed.lines.len());
    if let Some(Damaged { file, line, offset, index, fault, .. }) = &found.damaged {
        display::one_line(fault);
        let (number, place) = placed.places.get(good).map_or((None, None), |place| (Some(place.0), Some(place)));
        let is_next = place.is_some_and(|place| (place.1, place.2) == (*line, *offset)) && is_file(file, number);
        // An empty file has no line to name.
        let is_empty = (*line, *offset) == (1, 0) && placed.empty.iter().any(|empty| is_file(file, Some(*empty)));
        assert!(is_next || is_empty, "the damage is not at the named place: {found:?}");
        assert_eq!(*index, found.next);
    }
    if let Some(tail) = &found.torn_tail {
        let place = placed.places.last().expect("a last line");
        assert_eq!((tail.line, tail.offset), (place.1, place.2));
        assert!(found.damaged.is_none() && !placed.whole[placed.whole.len() - 1]);
    }
    for witness in &found.trusted_checkpoints {
        witness.fault.iter().for_each(|fault| display::one_line(fault));
    }
    if found.is_intact() {
        assert_eq!(good, placed.lines.len(), "the whole log was verified");
        assert!(placed.empty.is_empty(), "a file without records");
        assert!(good > 0 && placed.whole.iter().all(|whole| *whole));
    }
    let kinds: u64 = found.totals.kinds.values().sum();
    assert_eq!(kinds, good as u64);
    assert!(found.totals.open_calls().count() as u64 <= found.totals.kinds.get("call").copied().unwrap_or(0));
}

/// Each good record continues the chain, and the root covers all of them.
fn follows(found: &VerificationReport, placed: &Placed<'_>) {
    let lines = &placed.lines[..good(found)];
    let mut prev = None;
    for (number, line) in lines.iter().enumerate() {
        let line = str::from_utf8(line).expect("a record is text");
        let body = line.get(..line.len() - 75).expect("a hash at the end");
        let (seq, hash) = (found.first + number as u64, own_hash(line));
        assert_eq!(hash, Digest::of(body).to_string());
        assert!(line.starts_with(&format!(r#"{{"v":1,"seq":{seq},"#)), "{line}");
        if let Some(prev) = prev.replace(hash) {
            assert!(line.contains(&format!(r#","prev":"{prev}","event":{{"#)), "{line}");
        }
    }
    if found.first == 0 {
        let leaves: Vec<_> = lines.iter().map(leaf).collect();
        assert_eq!(found.root, root(&leaves));
    }
}

/// The covered records are the signed ones, and the kept checkpoint agrees with no others.
fn is_signed(found: &VerificationReport, placed: &Placed<'_>) {
    let is_own = |size: usize| {
        let first = usize::try_from(found.first).expect("a small number");
        let range: Range<usize> = 0..size.saturating_sub(first);
        SAMPLE.has(first, &placed.lines[range])
    };
    if found.is_intact() {
        let first = usize::try_from(found.first).expect("a small number");
        let covered = good(found) as u64 - found.uncovered();
        let lines = &placed.lines[..usize::try_from(covered).expect("at most the number of lines")];
        // A checkpoint record does not cover itself.
        let signed = lines.len().saturating_sub(usize::from(found.uncovered() == 0));
        assert!(SAMPLE.has(first, &lines[..signed]), "a checkpoint covers records that were not signed");
    }
    if let Some(size) = found.good.covered {
        let size = usize::try_from(size).expect("a small number");
        assert!(SAMPLE.notes.iter().any(|(signed, _)| *signed == size), "no checkpoint over {size} records was signed");
        assert!(is_own(size), "a checkpoint covers records that were not signed");
    }
    if found.origin.is_some() && found.trusted_checkpoints.iter().all(|witness| witness.fault.is_none()) {
        assert!(is_own(KEPT), "a checkpoint agrees with other records than the signed ones");
    }
}

/// The log as it was written, attacks on it, and inputs that are not a log.
pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    let joined = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let with_files =
        |lines: &[String]| format!("{}%\n{}", joined(&lines[..SECOND_FILE]), joined(&lines[SECOND_FILE..]));
    let (lines, events) = (&SAMPLE.lines, &SAMPLE.events);
    let moved_away = format!("{}\n{}", lines[SECOND_FILE], joined(&events[SECOND_FILE + 1..]));
    let unfinished = with_files(events);
    let signed_again = [&lines[..6], &events[6..8], &lines[8..]].concat();
    let mut swapped = events.clone();
    swapped.swap(2, 3);
    let known = |event: &&String| serde_json::from_str::<Event>(event).is_ok();
    assert!(events.iter().all(|event| known(&event)), "its events are known");
    [
        ("lines", with_files(lines)),
        ("events", with_files(events)),
        ("mixed", with_files(&signed_again)),
        ("short", joined(&events[..SECOND_FILE])),
        ("moved-away", moved_away),
        ("unfinished", unfinished.trim_end().to_owned()),
        ("swapped", with_files(&swapped)),
        ("cut", format!("{}%\n", joined(&events[..SECOND_FILE]))),
        ("dropped", with_files(&[&events[..3], &events[4..]].concat())),
        ("one-file", joined(lines)),
        ("nothing", String::new()),
    ]
    .map(|(name, text)| (name.to_owned(), text.into_bytes()))
    .into()
}
