//! A sample log and every note that its key ever signed. Anything that verifies under that key must
//! be about these records. This file writes the log as the documentation of `audit` describes the
//! format, without the library.

use std::sync::LazyLock;

use portcullis::audit::{Checkpoint, NoteSigner, NoteVerifier};
use portcullis::verify::Digest;
use zeroize::Zeroizing;

pub(super) const ORIGIN: &str = "example.com/log";

/// The first record of the second file.
pub(super) const SECOND_FILE: usize = 8;

/// The number of records that the kept checkpoint covers.
pub(super) const KEPT: usize = 12;

/// The log.
pub(super) struct SampleLog {
    pub(super) key: NoteVerifier,
    /// The events as JSON.
    pub(super) events: Vec<String>,
    /// The lines without their line feeds.
    pub(super) lines: Vec<String>,
    /// The checkpoints, including the kept one, each with the number of records that it covers.
    pub(super) notes: Vec<(usize, String)>,
}

pub(super) static SAMPLE: LazyLock<SampleLog> = LazyLock::new(SampleLog::write);

/// A fixed, public key, so that findings can be reproduced. It signs nothing else.
pub(super) fn signer(byte: u8) -> NoteSigner {
    NoteSigner::new(ORIGIN, Zeroizing::new([byte; 32])).expect("a key")
}

impl SampleLog {
    fn write() -> Self {
        let signer = signer(7);
        let key = signer.verifier().clone();
        let mut log = Self { key, events: Vec::new(), lines: Vec::new(), notes: Vec::new() };
        for number in 0..16 {
            let event = log.event(number, &signer);
            let line = sealed(number as u64, &last(&log.lines), &event);
            log.events.push(event);
            log.lines.push(line);
            if number + 1 == KEPT {
                log.sign(&signer);
            }
        }
        log
    }

    fn event(&mut self, number: usize, signer: &NoteSigner) -> String {
        const CALL: &str = r#""launch":"00c0ffee00c0ffee","call":1,"method":"/proto.KV/Get""#;
        let log = format!(r#""format":"portcullis-audit/1","origin":"{ORIGIN}","key":"{}""#, self.key);
        match number {
            0 => format!(r#"{{"type":"opened",{log},"writer":"sample","pid":1,"mode":"required"}}"#),
            5 | 10 | 14 => {
                let note = self.sign(signer).replace('\n', r"\n");
                format!(r#"{{"type":"checkpoint","note":"{note}"}}"#)
            }
            6 => format!(r#"{{"type":"call",{CALL},"request":{{"messages":1,"bytes":2}}}}"#),
            7 => {
                let tallies = r#""request":{"messages":1,"bytes":2},"response":{"messages":0,"bytes":0}"#;
                format!(r#"{{"type":"returned",{CALL},"outcome":"OK","took_us":3,{tallies}}}"#)
            }
            SECOND_FILE => {
                let root = root(&self.leaves());
                format!(r#"{{"type":"continued",{log},"tree":["{root}"]}}"#)
            }
            13 => r#"{"type":"lost","records":2}"#.into(),
            15 => r#"{"type":"closed","pid":1}"#.into(),
            number => format!(r#"{{"type":"application","name":"x","facts":{{"n":"{number}"}}}}"#),
        }
    }

    /// Signs a checkpoint over all records.
    fn sign(&mut self, signer: &NoteSigner) -> String {
        let checkpoint = Checkpoint::new(ORIGIN, self.lines.len() as u64, root(&self.leaves()));
        let note = checkpoint.sign(signer).expect("a checkpoint");
        self.notes.push((self.lines.len(), note.clone()));
        note
    }

    fn leaves(&self) -> Vec<Digest> {
        self.lines.iter().map(leaf).collect()
    }

    /// The kept checkpoint.
    pub(super) fn kept(&self) -> &str {
        self.notes.iter().find(|(size, _)| *size == KEPT).map_or("", |(_, note)| note)
    }

    /// Whether these lines are the records that start at `first`.
    pub(super) fn has(&self, first: usize, lines: &[&[u8]]) -> bool {
        let own = self.lines.get(first..first + lines.len());
        own.is_some_and(|own| own.iter().zip(lines).all(|(own, line)| own.as_bytes() == *line))
    }
}

fn last(lines: &[String]) -> String {
    lines.last().map_or("0".repeat(64), |line| own_hash(line))
}

/// The hash at the end of a line.
pub(super) fn own_hash(line: &str) -> String {
    line.get(line.len().saturating_sub(66)..line.len().saturating_sub(2)).unwrap_or_default().to_owned()
}

/// The record of an event with this number, after the record with the hash `prev`.
pub(super) fn sealed(number: u64, prev: &str, event: &str) -> String {
    finished(&format!(r#"{{"v":1,"seq":{number},"time":"2027-01-15T08:00:00.000000Z","prev":"{prev}","event":{event}"#))
}

/// The line with its hash appended.
pub(super) fn finished(body: &str) -> String {
    format!(r#"{body},"hash":"{}"}}"#, Digest::of(body))
}

/// The hash of a leaf (RFC 6962, section 2.1).
pub(super) fn leaf(line: impl AsRef<[u8]>) -> Digest {
    Digest::of([&[0], line.as_ref()].concat())
}

/// The hash of a tree, computed by its definition (RFC 6962, section 2.1).
pub(super) fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of([]),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Digest::of([&[1], &root(left).as_bytes()[..], &root(right).as_bytes()[..]].concat())
        }
    }
}
