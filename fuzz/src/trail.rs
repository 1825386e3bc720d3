//! A log that somebody wrote who has its key, and all that was ever signed with that key: whatever
//! is proven of other bytes must be about these records. Written here by the form that the
//! documentation of `audit` gives, not by the library.

use std::sync::LazyLock;

use portcullis::audit::{Checkpoint, NoteSigner, NoteVerifier};
use portcullis::verify::Digest;
use zeroize::Zeroizing;

pub(super) const ORIGIN: &str = "example.com/log";

/// The first record of the second file.
pub(super) const SECOND_FILE: usize = 8;

/// How many records the checkpoint is over that was kept elsewhere.
pub(super) const KEPT: usize = 12;

/// The log.
pub(super) struct Trail {
    pub(super) key: NoteVerifier,
    /// Its events as JSON.
    pub(super) events: Vec<String>,
    /// Its lines, without their line feeds.
    pub(super) lines: Vec<String>,
    /// Its checkpoints, and the one that was kept: by how many records they are over.
    pub(super) notes: Vec<(usize, String)>,
}

pub(super) static TRAIL: LazyLock<Trail> = LazyLock::new(Trail::write);

/// A key that is known to everybody, so that what was found once is found again: nothing else is
/// ever signed with it.
pub(super) fn signer(byte: u8) -> NoteSigner {
    NoteSigner::new(ORIGIN, Zeroizing::new([byte; 32])).expect("a key")
}

impl Trail {
    fn write() -> Self {
        let signer = signer(7);
        let key = signer.verifier().clone();
        let mut trail = Self { key, events: Vec::new(), lines: Vec::new(), notes: Vec::new() };
        for number in 0..16 {
            let event = trail.event(number, &signer);
            let line = sealed(number as u64, &last(&trail.lines), &event);
            trail.events.push(event);
            trail.lines.push(line);
            if number + 1 == KEPT {
                trail.sign(&signer);
            }
        }
        trail
    }

    fn event(&mut self, number: usize, signer: &NoteSigner) -> String {
        const CALL: &str = r#""launch":"00c0ffee00c0ffee","call":1,"method":"/proto.KV/Get""#;
        let log = format!(r#""format":"portcullis-audit/1","origin":"{ORIGIN}","key":"{}""#, self.key);
        match number {
            0 => format!(r#"{{"type":"opened",{log},"writer":"somebody","pid":1,"mode":"required"}}"#),
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

    /// The checkpoint that was kept.
    pub(super) fn kept(&self) -> &str {
        self.notes.iter().find(|(size, _)| *size == KEPT).map_or("", |(_, note)| note)
    }

    /// Whether these lines are the records from `first` on.
    pub(super) fn has(&self, first: usize, lines: &[&[u8]]) -> bool {
        let own = self.lines.get(first..first + lines.len());
        own.is_some_and(|own| own.iter().zip(lines).all(|(own, line)| own.as_bytes() == *line))
    }
}

fn last(lines: &[String]) -> String {
    lines.last().map_or("0".repeat(64), |line| own_hash(line))
}

/// The hash that a line ends with.
pub(super) fn own_hash(line: &str) -> String {
    line.get(line.len().saturating_sub(66)..line.len().saturating_sub(2)).unwrap_or_default().to_owned()
}

/// The record with this number of this event, behind the one with the hash `prev`.
pub(super) fn sealed(number: u64, prev: &str, event: &str) -> String {
    finished(&format!(r#"{{"v":1,"seq":{number},"time":"2027-01-15T08:00:00.000000Z","prev":"{prev}","event":{event}"#))
}

/// A line that begins so, with its hash.
pub(super) fn finished(body: &str) -> String {
    format!(r#"{body},"hash":"{}"}}"#, Digest::of(body))
}

/// The hash of a leaf (RFC 6962, section 2.1).
pub(super) fn leaf(line: impl AsRef<[u8]>) -> Digest {
    Digest::of([&[0], line.as_ref()].concat())
}

/// The hash of a tree (RFC 6962, section 2.1), as it is defined there.
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
