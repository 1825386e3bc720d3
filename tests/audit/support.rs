//! A directory with a log and its key, and the verification of that log.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis::audit::verifier::{TrustAnchors, VerificationReport, verify_lines};
use portcullis::audit::{Log, LogBuilder, LogKey, Record};
use portcullis::event::Event;

/// This binary in another role.
pub fn play(role: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(format!("play={role}")).arg(place);
    command
}

/// A directory that holds the key of a log.
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

/// Verifies the log with the key in `place`. Returns the names of the application's events; each
/// occurs once.
pub fn examined(place: &Path, log: &Path) -> (VerificationReport, BTreeSet<String>) {
    let mut names = BTreeSet::new();
    let trust = TrustAnchors::none().key(key(place).verifier().clone());
    let examination = verify_lines(log, &trust, |_, record| {
        if let Some(name) = record.and_then(name) {
            assert!(names.insert(name.clone()), "{name} occurs twice");
        }
    });
    (examination.unwrap(), names)
}
