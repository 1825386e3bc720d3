//! A place with a log and its key, and what those who look at it later find in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis::audit::verifier::{Examination, Trust, examine_with};
use portcullis::audit::{Log, LogBuilder, LogKey, Record};
use portcullis::event::Event;

/// This very binary, as something else.
pub fn play(role: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(format!("play={role}")).arg(place);
    command
}

/// A directory with the key of a log in it.
pub fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    LogKey::create(place.path().join("key"), "example/log").unwrap();
    place
}

pub fn log(place: &Path) -> PathBuf {
    place.join("log")
}

pub fn key(place: &Path) -> LogKey {
    LogKey::read(place.join("key")).unwrap()
}

pub fn builder(place: &Path) -> LogBuilder {
    Log::builder(log(place), key(place))
}

pub fn event(name: &str) -> Event {
    Event::application(name, [("a", "b")])
}

pub fn name(record: &Record) -> Option<String> {
    match record.event() {
        Some(Event::Application(application)) => Some(application.name),
        _ => None,
    }
}

/// Examines the log whose key lies in `place`, and returns the names of the application's events,
/// each of which is there once.
pub fn examined(place: &Path, log: &Path) -> (Examination, BTreeSet<String>) {
    let mut names = BTreeSet::new();
    let trust = Trust::nothing().key(key(place).verifier().clone());
    let examination = examine_with(log, &trust, |_, record| {
        if let Some(name) = record.and_then(name) {
            assert!(names.insert(name.clone()), "{name} is there twice");
        }
    });
    (examination.unwrap(), names)
}
