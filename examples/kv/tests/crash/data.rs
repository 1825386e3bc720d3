//! Checks the data against the responses that clients got: acknowledged changes are present,
//! rejected changes are absent, and every value was written by a client.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use kv::{Key, Store, Value};

use crate::clients::{Attempt, Operation, Response};

/// The contents of the store.
#[derive(Default)]
pub(crate) struct Data {
    pub(crate) values: BTreeMap<String, Value>,
    /// The number of changes so far.
    pub(crate) changes: u64,
}

/// Reads a copy of the store, so that the next plugin finds the file exactly as the kill left it.
pub(crate) fn read(directory: &Path, copy: &Path) -> Data {
    let file = directory.join("kv.redb");
    if !file.exists() {
        return Data::default();
    }
    fs::create_dir_all(copy).unwrap();
    fs::copy(file, copy.join("kv.redb")).unwrap();
    let store = Store::open(copy).unwrap();
    let keys = store.list("", u64::MAX).unwrap().map(|entry| entry.unwrap().key);
    let value = |key: String| {
        let value = store.get(&Key::try_from(key.clone()).unwrap()).unwrap().unwrap();
        (key, value)
    };
    Data { values: keys.map(value).collect(), changes: store.changes().unwrap().0 }
}

/// Every attempted change, by key.
#[derive(Default)]
pub(crate) struct History {
    keys: BTreeMap<String, Vec<Attempt>>,
    /// The call that each version belongs to.
    versions: HashMap<u64, String>,
}

impl History {
    pub(crate) fn add(&mut self, attempts: &[Attempt]) -> Vec<String> {
        let mut differences = Vec::new();
        for attempt in attempts {
            if let Response::Found(version, value) = &attempt.response {
                let fault = self.writer(&attempt.key, value, *version, attempts).err();
                differences.extend(fault.map(|fault| format!("{fault}: {attempt:?}")));
                continue;
            }
            if let Response::Stored(version) = attempt.response
                && let Some(other) = self.versions.insert(version, format!("{attempt:?}"))
            {
                differences.push(format!("version {version} was used twice: {other} and {attempt:?}"));
            }
        }
        for attempt in attempts.iter().filter(|attempt| attempt.operation != Operation::Get) {
            self.keys.entry(attempt.key.clone()).or_default().push(attempt.clone());
        }
        differences
    }

    /// The call that wrote a value.
    fn writer<'a>(
        &'a self,
        key: &str,
        value: &[u8],
        version: u64,
        also: &'a [Attempt],
    ) -> Result<&'a Attempt, &'static str> {
        let before = self.keys.get(key).into_iter().flatten();
        let mut all = before.chain(also.iter().filter(|attempt| attempt.key == key));
        let writer = all.find(|attempt| attempt.value() == Some(value)).ok_or("no client wrote this value")?;
        match writer.response {
            Response::Stored(known) if known != version => Err("the version differs from the response to its writer"),
            Response::Aborted | Response::Unrecordable => Err("the response to its writer was a rejection"),
            _ => Ok(writer),
        }
    }

    /// Returns the differences between data and history. Passes each change whose outcome was
    /// unknown to `found` and marks it as stored.
    pub(crate) fn check(&mut self, data: &Data, mut found: impl FnMut(&Attempt)) -> Vec<String> {
        let mut differences = Vec::new();
        for (key, value) in &data.values {
            match self.writer(key, &value.bytes, value.version, &[]) {
                Ok(writer) => {
                    differences.extend(self.newer(key, value.version, writer));
                    if writer.response == Response::Unknown {
                        found(writer);
                        self.learn(key, value);
                    }
                }
                Err(fault) => differences.push(format!("{fault}: {key} = {value:?}")),
            }
        }
        let gone = self.keys.iter().filter(|(key, _)| !data.values.contains_key(*key));
        differences.extend(gone.filter_map(|(_, attempts)| lost(attempts)));
        differences
    }

    fn learn(&mut self, key: &str, value: &Value) {
        let attempts = self.keys.get_mut(key).into_iter().flatten();
        for attempt in attempts.filter(|attempt| attempt.value() == Some(&value.bytes[..])) {
            attempt.response = Response::Stored(value.version);
        }
    }

    /// A later change that should have replaced the value of `writer`.
    fn newer(&self, key: &str, version: u64, writer: &Attempt) -> Option<String> {
        let mut others = self.keys.get(key).into_iter().flatten();
        let other = others.find(|other| match other.response {
            Response::Stored(known) => known > version,
            // It began after the value was stored.
            Response::Deleted(_) => writer.ended < other.begun,
            _ => false,
        });
        other.map(|other| format!("{key} still has version {version} by {writer:?} after {other:?}"))
    }
}

/// A stored value that is missing although no client may have deleted it.
fn lost(attempts: &[Attempt]) -> Option<String> {
    let version = |attempt: &Attempt| if let Response::Stored(version) = attempt.response { version } else { 0 };
    let last = attempts.iter().max_by_key(|attempt| version(attempt)).filter(|attempt| version(attempt) > 0)?;
    let may_have_deleted = |attempt: &&Attempt| {
        let is_delete = attempt.operation == Operation::Delete;
        is_delete
            && matches!(attempt.response, Response::Deleted(true) | Response::Unknown)
            && attempt.ended > last.begun
    };
    attempts.iter().find(may_have_deleted).is_none().then(|| format!("missing in the data: {last:?}"))
}
