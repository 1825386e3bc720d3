//! Reads the calls and their outcomes from a growing audit log, each time from where it stopped.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use portcullis::Digest;
use portcullis::audit::Record;
use portcullis::audit::read::{LogLines, files};
use portcullis::event::{Event, KeyedHash, LaunchId, MessageTally, TornTail};

/// A call in the log.
#[derive(Debug, Clone)]
pub(crate) struct LoggedCall {
    pub(crate) method: String,
    pub(crate) key: Option<KeyedHash>,
    pub(crate) returned: Option<Outcome>,
}

#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) outcome: String,
    pub(crate) request: MessageTally,
    pub(crate) response: MessageTally,
}

/// The torn end of a log, which its next writer reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) bytes: u64,
    pub(crate) sha256: Digest,
}

/// The part of the log that one read returned.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) calls: Vec<LoggedCall>,
    /// The torn tails that each writer reported.
    pub(crate) openings: Vec<Vec<TornTail>>,
    pub(crate) records: u64,
    /// The incomplete line at the end of the log.
    pub(crate) unfinished: Option<Tail>,
    pub(crate) faults: Vec<String>,
}

/// A reader of a growing log.
pub(crate) struct LogReader {
    log: PathBuf,
    /// The current file, and the offset in it.
    file: usize,
    offset: u64,
}

impl LogReader {
    pub(crate) fn of(log: &Path) -> Self {
        Self { log: log.to_path_buf(), file: 0, offset: 0 }
    }

    /// Reads the new records. No call may be running.
    pub(crate) fn read_new(&mut self) -> Section {
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
            for line in LogLines::new(path, BufReader::new(file)).map(Result::unwrap) {
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
                let logged =
                    LoggedCall { method: call.method, key: call.arguments.get("key").copied(), returned: None };
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
                None => self.faults.push(format!("call {} of {} returned twice", returned.call, returned.launch)),
            },
            Some(_) => {}
            None => self.faults.push("an event of an unknown kind".into()),
        }
    }
}
