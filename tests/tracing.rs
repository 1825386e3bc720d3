//! An audit log with a tracing sink but no subscriber: the log records that its records were not
//! delivered. A separate process, because a process has one global subscriber.
#![allow(clippy::unwrap_used, reason = "tests")]

use portcullis::audit::{Log, LogKey, Record, TracingSink};
use portcullis::event::Event;

#[test]
fn unobserved_records_are_reported_lost() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    let log =
        Log::builder(&path, LogKey::generate("example/log").unwrap()).with_sink(TracingSink::new()).open().unwrap();
    for number in 0..3 {
        log.append(Event::application(number.to_string(), [("a", "b")])).unwrap();
    }
    log.close().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let events = text.lines().filter_map(|line| Record::parse(line.as_bytes()).unwrap().event());
    let undelivered: Vec<_> = events
        .filter_map(|event| if let Event::Undelivered(undelivered) = event { Some(undelivered) } else { None })
        .collect();
    let last = undelivered.last().unwrap();
    assert_eq!(last.to, "tracing");
    assert!(last.reason.contains("no subscriber takes"), "{}", last.reason);
    // All records before the end: `opened`, three events, and earlier reports.
    assert!(last.count >= 4, "{last:?}");
}
