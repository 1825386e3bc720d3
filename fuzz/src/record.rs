//! Records: every byte of a line is protected, a record has one text form, and any JSON reader
//! finds the same members.

use portcullis::audit::Record;
use portcullis::event::Event;
use portcullis::verify::Digest;
use serde_json::Value;

use super::display;
use super::sample_log::{SAMPLE, finished};

/// Whether `bytes` are the line of a record, or become one with their hash appended, which no
/// fuzzer would guess.
pub fn check(bytes: &[u8]) -> bool {
    let as_it_is = record(bytes);
    let with_hash = str::from_utf8(bytes).is_ok_and(|body| record(finished(body).as_bytes()));
    as_it_is || with_hash
}

fn record(line: &[u8]) -> bool {
    let record = match Record::parse(line) {
        Ok(record) => record,
        Err(fault) => {
            display::one_line(&fault);
            return false;
        }
    };
    assert_eq!(record.line().as_bytes(), line);
    assert!(line.iter().all(|byte| *byte >= b' '), "a record is one line");
    let behind = record.behind_us().map(|behind| format!(r#","behind_us":{behind}"#)).unwrap_or_default();
    let (seq, time, prev, event) = (record.index(), record.time(), record.prev(), record.event_text());
    let body = format!(r#"{{"v":1,"seq":{seq},"time":"{time}"{behind},"prev":"{prev}","event":{event}"#);
    assert_eq!(finished(&body), record.line(), "the record has a second text form");
    assert_eq!(record.hash(), Digest::of(&body));
    agrees_with_other_reader(&record);
    event_round_trips(&record);
    for at in (0..line.len()).step_by(1 + line.len() / 8) {
        let mut changed = line.to_vec();
        changed[at] ^= 1;
        assert!(Record::parse(&changed).is_err(), "a change at byte {at} is not detected");
    }
    true
}

/// Another JSON reader finds exactly these members and values.
fn agrees_with_other_reader(record: &Record) {
    let Ok(line) = serde_json::from_str::<Value>(record.line()) else {
        // JSON allows numbers of any size, and readers reject some. Our events have none of those.
        assert!(record.event().is_none(), "an event was parsed that another reader rejects");
        return;
    };
    let members = line.as_object().expect("an object");
    assert_eq!(members.len(), 6 + usize::from(record.behind_us().is_some()), "{line}");
    assert_eq!((line["v"].as_u64(), line["seq"].as_u64()), (Some(1), Some(record.index())));
    assert_eq!(line.get("behind_us").and_then(Value::as_u64), record.behind_us());
    assert!(line["event"].is_object(), "{line}");
    for (name, text) in
        [("time", record.time()), ("prev", record.prev().to_string()), ("hash", record.hash().to_string())]
    {
        assert_eq!(line[name].as_str(), Some(text.as_str()));
    }
}

/// A known event is written and read without loss.
fn event_round_trips(record: &Record) {
    let Some(event) = record.event() else { return };
    let text = serde_json::to_string(&event).expect("an event serializes");
    assert_eq!(serde_json::from_str::<Event>(&text).expect("our own JSON parses"), event);
    let read: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(read["type"], event.kind());
    assert_eq!(read["launch"].as_str(), event.launch().map(|launch| launch.to_string()).as_deref());
}

/// The lines of a log, complete and without their hashes, and lines that are not records.
pub(super) fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (number, line) in SAMPLE.lines.iter().enumerate() {
        let body = line.rsplit_once(r#","hash":"#).map_or("", |(body, _)| body);
        seeds.push((format!("body-{number}"), body.into()));
        seeds.push((format!("cut-{number}"), line.as_bytes()[..line.len() - 1].to_vec()));
    }
    let behind = r#"{"v":1,"seq":41,"time":"2026-11-25T06:58:00.123456Z","behind_us":7,"prev":"#;
    seeds.push((
        "behind".into(),
        format!(r#"{behind}"{}","event":{{"type":"other","a":[1,{{}}]}}"#, "0".repeat(64)).into(),
    ));
    let blank = SAMPLE.lines[6].replacen(r#","call":"#, ",\r\n\"call\": ", 1);
    seeds.push(("blank".into(), blank.rsplit_once(r#","hash":"#).map_or("", |(body, _)| body).into()));
    seeds.push(("whole".into(), SAMPLE.lines[3].clone().into()));
    seeds
}
