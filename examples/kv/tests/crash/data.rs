//! Holds what clients were told against the data: what they were promised is there, what they were
//! refused is not, and nothing that nobody wrote.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use kv::{Key, Store, Value};

use crate::clients::{Ask, Attempt, Told};

/// What the store has.
#[derive(Default)]
pub(crate) struct Data {
    pub(crate) values: BTreeMap<String, Value>,
    /// How many changes there have been.
    pub(crate) changes: u64,
}

/// Reads a store that nobody has open, from a copy of it: the plugin is to find what was left
/// behind.
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

/// All that clients attempted to change, by keys.
#[derive(Default)]
pub(crate) struct History {
    keys: BTreeMap<String, Vec<Attempt>>,
    /// Whose a version is.
    versions: HashMap<u64, String>,
}

impl History {
    pub(crate) fn add(&mut self, attempts: &[Attempt]) -> Vec<String> {
        let mut differences = Vec::new();
        for attempt in attempts {
            if let Told::Found(version, value) = &attempt.told {
                let fault = self.writer(&attempt.key, value, *version, attempts).err();
                differences.extend(fault.map(|fault| format!("{fault}: {attempt:?}")));
                continue;
            }
            if let Told::Stored(version) = attempt.told
                && let Some(other) = self.versions.insert(version, format!("{attempt:?}"))
            {
                differences.push(format!("version {version} was used twice: {other} and {attempt:?}"));
            }
        }
        for attempt in attempts.iter().filter(|attempt| attempt.ask != Ask::Get) {
            self.keys.entry(attempt.key.clone()).or_default().push(attempt.clone());
        }
        differences
    }

    /// What put a value where it was found.
    fn writer<'a>(
        &'a self,
        key: &str,
        value: &[u8],
        version: u64,
        also: &'a [Attempt],
    ) -> Result<&'a Attempt, &'static str> {
        let before = self.keys.get(key).into_iter().flatten();
        let mut all = before.chain(also.iter().filter(|attempt| attempt.key == key));
        let writer = all.find(|attempt| attempt.value() == Some(value)).ok_or("nobody wrote this value")?;
        match writer.told {
            Told::Stored(known) if known != version => Err("the value has another version than its writer was told"),
            Told::Aborted | Told::NotMade => Err("its writer was told that it would not be stored"),
            _ => Ok(writer),
        }
    }

    /// What is wrong with the data. Gives each change that was made although nobody knew to
    /// `found`; from then on it is known.
    pub(crate) fn hold(&mut self, data: &Data, mut found: impl FnMut(&Attempt)) -> Vec<String> {
        let mut differences = Vec::new();
        for (key, value) in &data.values {
            match self.writer(key, &value.bytes, value.version, &[]) {
                Ok(writer) => {
                    differences.extend(self.newer(key, value.version, writer));
                    if writer.told == Told::Nothing {
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
            attempt.told = Told::Stored(value.version);
        }
    }

    /// What should be there instead of what `writer` put.
    fn newer(&self, key: &str, version: u64, writer: &Attempt) -> Option<String> {
        let mut others = self.keys.get(key).into_iter().flatten();
        let other = others.find(|other| match other.told {
            Told::Stored(known) => known > version,
            // It began when the value was there already.
            Told::Taken(_) => writer.ended < other.begun,
            _ => false,
        });
        other.map(|other| format!("{key} has version {version} by {writer:?}, and should not after {other:?}"))
    }
}

/// What was stored under a key that has no value, if nobody took it away.
fn lost(attempts: &[Attempt]) -> Option<String> {
    let version = |attempt: &Attempt| if let Told::Stored(version) = attempt.told { version } else { 0 };
    let last = attempts.iter().max_by_key(|attempt| version(attempt)).filter(|attempt| version(attempt) > 0)?;
    let may_have_taken = |attempt: &&Attempt| {
        let is_delete = attempt.ask == Ask::Delete;
        is_delete && matches!(attempt.told, Told::Taken(true) | Told::Nothing) && attempt.ended > last.begun
    };
    attempts.iter().find(may_have_taken).is_none().then(|| format!("not in the data: {last:?}"))
}
