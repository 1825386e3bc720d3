//! Writers of one log that are killed at arbitrary moments, one after the other.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portcullis::audit::LogOpenError;

use super::support::*;

const ROUNDS: usize = 30;
const THREADS: usize = 4;

/// Writes events to many log files as fast as it can until it is killed. Prints the name of each
/// event that the log acknowledged.
pub fn write(place: &Path) {
    let log = builder(place)
        .rotate_at(32 * 1024)
        .checkpoint_every(50, Duration::from_secs(60))
        .checkpoint_file(place.join("checkpoint"))
        .open()
        .unwrap();
    let (process, number) = (std::process::id(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let name = format!("{process}-{}", number.fetch_add(1, Ordering::Relaxed));
                    log.append(event(&name)).unwrap();
                    // One write, so that lines of threads do not mix.
                    std::io::stdout().lock().write_all(format!("{name}\n").as_bytes()).unwrap();
                }
            });
        }
    });
}

pub fn acknowledged_records_survive_every_kill() {
    let place = place();
    let mut told = Vec::new();
    for round in 0..ROUNDS {
        let mut writer = play("kill", place.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        // Kills at any point from before the first record to some files later.
        let until = round * 37 % 400;
        told.extend(lines.by_ref().take(until).map(Result::unwrap));
        writer.kill().unwrap();
        // Lines that were printed before the kill count too.
        told.extend(lines.map_while(Result::ok));
        writer.wait().unwrap();
    }
    // The last writer closes the log, so that the whole log can be verified.
    builder(place.path()).open().unwrap().close().unwrap();
    let (examination, names) = examined(place.path(), &log(place.path()));
    assert!(examination.is_intact(), "{examination:?}");
    assert!(told.len() > ROUNDS * 50, "{}", told.len());
    let missing: Vec<_> = told.iter().filter(|name| !names.contains(*name)).collect();
    assert!(missing.is_empty(), "acknowledged records are missing: {missing:?}");
    // Unacknowledged events: at most one for each thread of each writer.
    assert!(names.len() <= told.len() + ROUNDS * THREADS, "{} of {}", told.len(), names.len());
    let note = std::fs::read_to_string(place.path().join("checkpoint")).unwrap();
    let trust = portcullis::audit::verifier::TrustAnchors::none().key(key(place.path()).verifier().clone());
    let witnessed = portcullis::audit::verifier::verify(log(place.path()), &trust.checkpoint("file", note)).unwrap();
    assert!(witnessed.is_intact(), "{:?}", witnessed.trusted_checkpoints);
}

pub fn only_one_process_writes_a_log() {
    let place = place();
    let mut writer = play("kill", place.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    assert!(matches!(builder(place.path()).open(), Err(LogOpenError::Busy { .. })));
    writer.kill().unwrap();
    writer.wait().unwrap();
    builder(place.path()).open().unwrap().close().unwrap();
}
