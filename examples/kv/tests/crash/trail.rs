//! What the audit log says of calls: read on from where it was read to before, each call with its
//! outcome.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use portcullis::Digest;
use portcullis::audit::Record;
use portcullis::audit::read::{Lines, files};
use portcullis::event::{Event, KeyedHash, LaunchId, Tally, Torn};

/// A call in the log.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) method: String,
    pub(crate) key: Option<KeyedHash>,
    pub(crate) returned: Option<Outcome>,
}

#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) outcome: String,
    pub(crate) request: Tally,
    pub(crate) response: Tally,
}

/// What a writer says of those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) bytes: u64,
    pub(crate) sha256: Digest,
}

/// What was read at once.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) calls: Vec<Logged>,
    /// What each writer said that was put aside.
    pub(crate) openings: Vec<Vec<Torn>>,
    pub(crate) records: u64,
    /// What the log ends in that is no whole line.
    pub(crate) unfinished: Option<Tail>,
    pub(crate) faults: Vec<String>,
}

/// A reader of a log that grows.
pub(crate) struct Trail {
    log: PathBuf,
    /// Which file, and how far.
    file: usize,
    offset: u64,
}

impl Trail {
    pub(crate) fn of(log: &Path) -> Self {
        Self { log: log.to_path_buf(), file: 0, offset: 0 }
    }

    /// Reads what is there since the last time. No call may be under way.
    pub(crate) fn read_on(&mut self) -> Section {
        let (mut section, mut open) = (Section::default(), HashMap::new());
        if !self.log.exists() {
            return section;
        }
        for (number, path) in files(&self.log).unwrap().iter().enumerate().skip(self.file) {
            if number > self.file {
                (self.file, self.offset) = (number, 0);
            }
            let mut file = File::open(path).unwrap();
            file.seek(SeekFrom::Start(self.offset)).unwrap();
            for line in Lines::new(path, BufReader::new(file)).map(Result::unwrap) {
                if !line.is_whole {
                    section.unfinished = Some(Tail { bytes: line.bytes.len() as u64, sha256: Digest::of(&line.bytes) });
                    break;
                }
                self.offset += line.bytes.len() as u64 + 1;
                section.records += 1;
                match Record::parse(&line.bytes) {
                    Ok(record) => section.take(record.event(), &mut open),
                    Err(fault) => section.faults.push(format!("line {} of {}: {fault}", line.number, path.display())),
                }
            }
        }
        section
    }
}

impl Section {
    fn take(&mut self, event: Option<Event>, open: &mut HashMap<(LaunchId, u64), usize>) {
        match event {
            Some(Event::Opened(opened)) => self.openings.push(opened.torn),
            Some(Event::Call(call)) => {
                let logged = Logged { method: call.method, key: call.arguments.get("key").copied(), returned: None };
                if open.insert((call.launch, call.call), self.calls.len()).is_some() {
                    self.faults.push(format!("call {} of {} was made twice", call.call, call.launch));
                }
                self.calls.push(logged);
            }
            Some(Event::Returned(returned)) => match open.remove(&(returned.launch, returned.call)) {
                Some(call) => {
                    let (request, response) = (returned.request, returned.response);
                    self.calls[call].returned = Some(Outcome { outcome: returned.outcome, request, response });
                }
                None => self.faults.push(format!("call {} of {} ended once more", returned.call, returned.launch)),
            },
            Some(_) => {}
            None => self.faults.push("an event of an unknown kind".into()),
        }
    }
}
