//! Checks the log against the responses that clients got: each response must be in it, and each
//! call in it was made by a client.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Instant;

use kv::store_proto::get_response::Part;
use kv::store_proto::{DeleteRequest, DeleteResponse, Found, GetRequest, GetResponse, WriteResponse};
use portcullis::audit::LogKey;
use portcullis::event::KeyedHash;
use prost::Message;

use crate::clients::{Attempt, Operation, Response};
use crate::log_reader::{LoggedCall, Outcome};

const SERVICE: &str = "/portcullis.kv.v1.Store/";

/// A call as the log shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Shape {
    method: String,
    key: KeyedHash,
    request: Option<KeyedHash>,
}

/// The logged calls of one round that are not yet matched to an attempt.
pub(crate) struct LogCheck<'a> {
    key: &'a LogKey,
    /// Completed calls without a matching attempt so far.
    ended: HashMap<Shape, Vec<Outcome>>,
    /// The number of calls with an unknown outcome.
    open: HashMap<(String, KeyedHash), usize>,
    /// The version in each possible response, by the hash of the response.
    versions: HashMap<KeyedHash, u64>,
    pub(crate) differences: Vec<String>,
}

impl<'a> LogCheck<'a> {
    /// The changes of the round have the numbers `changes`.
    pub(crate) fn new(key: &'a LogKey, calls: Vec<LoggedCall>, changes: RangeInclusive<u64>) -> Self {
        let (mut ended, mut open, mut differences) = (HashMap::<_, Vec<_>>::new(), HashMap::new(), Vec::new());
        for call in calls {
            // Listings are made by the test itself.
            let Some(key) = call.key else { continue };
            let method = call.method.strip_prefix(SERVICE).unwrap_or(&call.method).to_owned();
            match call.returned {
                Some(outcome) if is_answer(&outcome) => {
                    let shape = Shape { method, key, request: outcome.request.hash };
                    ended.entry(shape).or_default().push(outcome);
                }
                Some(Outcome { outcome, .. }) if !matches!(&*outcome, "abandoned" | "broken") => {
                    differences.push(format!("{method} ended with {outcome} in the log"));
                }
                _ => *open.entry((method, key)).or_default() += 1,
            }
        }
        let versions = changes.map(|version| (key.keyed_hash(&encoded(&[WriteResponse { version }])), version));
        Self { key, ended, open, versions: versions.collect(), differences }
    }

    /// Finds the record of every response. Attempts without a response learn it from the log.
    pub(crate) fn check(&mut self, attempts: &mut [Attempt], dead: Instant) {
        for attempt in attempts.iter().filter(|attempt| attempt.response != Response::Unknown) {
            if let Some(difference) = self.find(attempt) {
                self.differences.push(difference);
            }
        }
        for attempt in attempts.iter_mut().filter(|attempt| attempt.response == Response::Unknown) {
            attempt.ended = dead;
            self.learn(attempt);
        }
        let unknown = self.ended.drain().filter(|(_, outcomes)| !outcomes.is_empty());
        let unknown = unknown.map(|(shape, outcomes)| format!("no client made {shape:?}: {outcomes:?}"));
        self.differences.extend(unknown.collect::<Vec<_>>());
    }

    fn find(&mut self, attempt: &Attempt) -> Option<String> {
        let expected = match &attempt.response {
            // The log must not show it as made.
            Response::Unrecordable => {
                let shape = self.shape(attempt);
                let is_there = attempt.value().is_some() && self.ended.contains_key(&shape);
                return is_there.then(|| format!("recorded although rejected as unrecordable: {attempt:?}"));
            }
            Response::Stored(version) => ("OK", Some(encoded(&[WriteResponse { version: *version }]))),
            Response::Deleted(existed) => ("OK", Some(encoded(&[DeleteResponse { existed: *existed }]))),
            Response::Found(version, value) => ("OK", Some(encoded(&answer(*version, value)))),
            Response::Missing => ("NOT_FOUND", None),
            Response::Aborted => ("ABORTED", None),
            Response::Unknown => return None,
        };
        let (name, response) = expected;
        let response = response.map(|response| self.key.keyed_hash(&response));
        let shape = self.shape(attempt);
        let outcomes = self.ended.entry(shape).or_default();
        let fits = |outcome: &Outcome| {
            outcome.outcome == name && response.is_none_or(|response| outcome.response.hash == Some(response))
        };
        match outcomes.iter().position(fits) {
            Some(position) => {
                outcomes.swap_remove(position);
                None
            }
            None => Some(format!("response missing in the log: {attempt:?}; found {outcomes:?}")),
        }
    }

    fn learn(&mut self, attempt: &mut Attempt) {
        let shape = self.shape(attempt);
        let Some(outcome) = self.ended.get_mut(&shape).and_then(Vec::pop) else { return };
        attempt.response = match (&attempt.operation, &*outcome.outcome) {
            (Operation::Put(_) | Operation::Swap(..), "OK") => {
                match outcome.response.hash.and_then(|hash| self.versions.get(&hash)) {
                    Some(version) => Response::Stored(*version),
                    None => {
                        self.differences.push(format!("stored with an impossible version: {attempt:?}"));
                        return;
                    }
                }
            }
            (Operation::Swap(..), "ABORTED") => Response::Aborted,
            // Equal calls cannot be distinguished.
            _ => Response::Unknown,
        };
    }

    /// An attempt with an unknown outcome changed the data: the log must hold its intent.
    pub(crate) fn require_intent(&mut self, attempt: &Attempt) {
        let Shape { method, key, .. } = self.shape(attempt);
        match self.open.get_mut(&(method, key)) {
            Some(count) if *count > 0 => *count -= 1,
            _ => self.differences.push(format!("in the data without its intent in the log: {attempt:?}")),
        }
    }

    fn shape(&self, attempt: &Attempt) -> Shape {
        let key = attempt.key.clone();
        let (method, request) = match (&attempt.operation, attempt.parts()) {
            (Operation::Put(_), Some(parts)) => ("Put", encoded(&parts)),
            (Operation::Swap(..), Some(parts)) => ("CompareAndSwap", encoded(&parts)),
            (Operation::Delete, _) => ("Delete", encoded(&[DeleteRequest { key }])),
            _ => ("Get", encoded(&[GetRequest { key }])),
        };
        Shape {
            method: method.into(),
            key: self.key.keyed_hash(attempt.key.as_bytes()),
            request: Some(self.key.keyed_hash(&request)),
        }
    }
}

fn is_answer(outcome: &Outcome) -> bool {
    matches!(&*outcome.outcome, "OK" | "NOT_FOUND" | "ABORTED")
}

fn answer(version: u64, value: &[u8]) -> Vec<GetResponse> {
    let found = Part::Found(Found { version, size: value.len() as u64 });
    let chunk = (!value.is_empty()).then(|| Part::Chunk(value.to_vec().into()));
    [Some(found), chunk].into_iter().flatten().map(|part| GetResponse { part: Some(part) }).collect()
}

/// Messages as the log hashes them: concatenated.
fn encoded<M: Message>(messages: &[M]) -> Vec<u8> {
    messages.iter().flat_map(Message::encode_to_vec).collect()
}
