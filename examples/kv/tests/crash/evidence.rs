//! Holds what clients were told against the log: every answer that a client has must be in it, and
//! nothing that nobody asked for.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Instant;

use kv::store_proto::get_response::Part;
use kv::store_proto::{DeleteRequest, DeleteResponse, Found, GetRequest, GetResponse, WriteResponse};
use portcullis::audit::LogKey;
use portcullis::event::KeyedHash;
use prost::Message;

use crate::clients::{Ask, Attempt, Told};
use crate::trail::{Logged, Outcome};

const SERVICE: &str = "/portcullis.kv.v1.Store/";

/// What a call looks like in the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Shape {
    method: String,
    key: KeyedHash,
    request: Option<KeyedHash>,
}

/// The attempts of one round and the calls that the log has of it.
pub(crate) struct Evidence<'a> {
    key: &'a LogKey,
    /// The calls that no attempt was found for yet.
    ended: HashMap<Shape, Vec<Outcome>>,
    /// How many there are whose outcome is not known.
    open: HashMap<(String, KeyedHash), usize>,
    /// The versions that records of answers can stand for.
    versions: HashMap<KeyedHash, u64>,
    pub(crate) differences: Vec<String>,
}

impl<'a> Evidence<'a> {
    /// The changes of the round have the numbers `changes`.
    pub(crate) fn new(key: &'a LogKey, calls: Vec<Logged>, changes: RangeInclusive<u64>) -> Self {
        let (mut ended, mut open, mut differences) = (HashMap::<_, Vec<_>>::new(), HashMap::new(), Vec::new());
        for call in calls {
            // The listings are not by clients.
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

    /// Finds the record of every answer. Attempts that are answered in the log although the client
    /// does not know are told what the log says.
    pub(crate) fn hold(&mut self, attempts: &mut [Attempt], dead: Instant) {
        for attempt in attempts.iter().filter(|attempt| attempt.told != Told::Nothing) {
            if let Some(difference) = self.find(attempt) {
                self.differences.push(difference);
            }
        }
        for attempt in attempts.iter_mut().filter(|attempt| attempt.told == Told::Nothing) {
            attempt.ended = dead;
            self.learn(attempt);
        }
        let unknown = self.ended.drain().filter(|(_, outcomes)| !outcomes.is_empty());
        let unknown = unknown.map(|(shape, outcomes)| format!("nobody asked for {shape:?}: {outcomes:?}"));
        self.differences.extend(unknown.collect::<Vec<_>>());
    }

    fn find(&mut self, attempt: &Attempt) -> Option<String> {
        let expected = match &attempt.told {
            // It must not look as if it had been made.
            Told::NotMade => {
                let shape = self.shape(attempt);
                let is_there = attempt.value().is_some() && self.ended.contains_key(&shape);
                return is_there.then(|| format!("recorded, and refused because that could not be: {attempt:?}"));
            }
            Told::Stored(version) => ("OK", Some(encoded(&[WriteResponse { version: *version }]))),
            Told::Taken(existed) => ("OK", Some(encoded(&[DeleteResponse { existed: *existed }]))),
            Told::Found(version, value) => ("OK", Some(encoded(&answer(*version, value)))),
            Told::Missing => ("NOT_FOUND", None),
            Told::Aborted => ("ABORTED", None),
            Told::Nothing => return None,
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
            None => Some(format!("told, and not in the log: {attempt:?}; there are {outcomes:?}")),
        }
    }

    fn learn(&mut self, attempt: &mut Attempt) {
        let shape = self.shape(attempt);
        let Some(outcome) = self.ended.get_mut(&shape).and_then(Vec::pop) else { return };
        attempt.told = match (&attempt.ask, &*outcome.outcome) {
            (Ask::Put(_) | Ask::Swap(..), "OK") => {
                match outcome.response.hash.and_then(|hash| self.versions.get(&hash)) {
                    Some(version) => Told::Stored(*version),
                    None => {
                        self.differences.push(format!("stored under no version that there is: {attempt:?}"));
                        return;
                    }
                }
            }
            (Ask::Swap(..), "ABORTED") => Told::Aborted,
            // Equal ones cannot be told apart.
            _ => Told::Nothing,
        };
    }

    /// An attempt whose outcome nobody knows has changed the data: that it was about to be made
    /// must have been recorded.
    pub(crate) fn must_be_intended(&mut self, attempt: &Attempt) {
        let Shape { method, key, .. } = self.shape(attempt);
        match self.open.get_mut(&(method, key)) {
            Some(count) if *count > 0 => *count -= 1,
            _ => self.differences.push(format!("in the data, and its intent is not in the log: {attempt:?}")),
        }
    }

    fn shape(&self, attempt: &Attempt) -> Shape {
        let key = attempt.key.clone();
        let (method, said) = match (&attempt.ask, attempt.parts()) {
            (Ask::Put(_), Some(parts)) => ("Put", encoded(&parts)),
            (Ask::Swap(..), Some(parts)) => ("CompareAndSwap", encoded(&parts)),
            (Ask::Delete, _) => ("Delete", encoded(&[DeleteRequest { key }])),
            _ => ("Get", encoded(&[GetRequest { key }])),
        };
        Shape {
            method: method.into(),
            key: self.key.keyed_hash(attempt.key.as_bytes()),
            request: Some(self.key.keyed_hash(&said)),
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

/// Messages as the log hashes them: one after the other.
fn encoded<M: Message>(messages: &[M]) -> Vec<u8> {
    messages.iter().flat_map(Message::encode_to_vec).collect()
}
