//! Records as lines: the canonical form is written, and no other form is accepted.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::event::Event;

fn line(behind_us: Option<u64>, event: &Event) -> Vec<u8> {
    let time = Time::of(UNIX_EPOCH + Duration::from_micros(1_764_053_880_123_456));
    let mut lines = Vec::new();
    write(&mut lines, &Head { index: 41, time, behind_us, prev: Digest::of("before") }, event).unwrap();
    assert_eq!(lines.pop(), Some(b'\n'));
    lines
}

/// A line with the correct hash of `body`.
fn with_own_hash(body: &str) -> String {
    format!("{body}{HASH}{}{END}", Digest::of(body))
}

#[test]
fn record_matches_documentation_and_round_trips() {
    let event = Event::application("a", [("b", "c")]);
    let written = line(None, &event);
    let body = format!(
        r#"{{"v":1,"seq":41,"time":"2025-11-25T06:58:00.123456Z","prev":"{}","event":{{"type":"application","name":"a","facts":{{"b":"c"}}}}"#,
        Digest::of("before")
    );
    assert_eq!(String::from_utf8(written.clone()).unwrap(), with_own_hash(&body));
    let record = Record::parse(&written).unwrap();
    assert_eq!((record.index(), record.behind_us(), record.prev()), (41, None, Digest::of("before")));
    assert_eq!((record.time().as_str(), record.hash()), ("2025-11-25T06:58:00.123456Z", Digest::of(&body)));
    assert_eq!((record.event(), record.line().as_bytes()), (Some(event), &written[..]));
    assert_eq!(record.leaf_hash(), leaf_hash(&written));
    assert_eq!(record.event_text(), r#"{"type":"application","name":"a","facts":{"b":"c"}}"#);
    let behind = Record::parse(&line(Some(7), &Event::application("a", [("b", "c")]))).unwrap();
    assert_eq!(behind.behind_us(), Some(7));
}

#[test]
fn every_changed_missing_or_added_byte_is_noticed() {
    for behind in [None, Some(7)] {
        let written = line(behind, &Event::application("a", [("b", "c")]));
        for at in 0..written.len() {
            for bit in 0..8 {
                let mut changed = written.clone();
                changed[at] ^= 1 << bit;
                assert!(Record::parse(&changed).is_err(), "{}", String::from_utf8_lossy(&changed));
            }
            let mut shorter = written.clone();
            shorter.remove(at);
            let mut longer = written.clone();
            longer.insert(at, b' ');
            assert!(Record::parse(&shorter).is_err() && Record::parse(&longer).is_err(), "{at}");
            assert!(Record::parse(&written[..at]).is_err());
        }
    }
}

#[test]
fn noncanonical_record_is_rejected_despite_correct_hash() {
    let zeros = "0".repeat(64);
    let body = |seq: &str, time: &str, prev: &str, event: &str| {
        format!(r#"{{"v":1,"seq":{seq},"time":"{time}","prev":"{prev}","event":{event}"#)
    };
    let time = "2025-11-25T06:58:00.123456Z";
    let fine = body("1", time, &zeros, r#"{"type":"x"}"#);
    assert!(Record::parse(with_own_hash(&fine).as_bytes()).unwrap().event().is_none(), "an unknown kind of event");
    let blanks = body("1", time, &zeros, r#"{"type":"in \" strings","\\":" "}"#);
    assert!(Record::parse(with_own_hash(&blanks).as_bytes()).is_ok());
    for wrong in [
        body("01", time, &zeros, "{}"),
        body("", time, &zeros, "{}"),
        body("-1", time, &zeros, "{}"),
        body("18446744073709551616", time, &zeros, "{}"),
        body("1", "2025-11-25 06:58:00.123456Z", &zeros, "{}"),
        body("1", time, &zeros[1..], "{}"),
        body("1", time, &"A".repeat(64), "{}"),
        body("1", time, &zeros, "[]"),
        body("1", time, &zeros, ""),
        body("1", time, &zeros, "{"),
        body("1", time, &zeros, "{}{}"),
        body("1", time, &zeros, "{ }"),
        body("1", time, &zeros, r#"{"a": 1}"#),
        body("1", time, &zeros, "{\"a\":1,\n\"b\":2}"),
        body("1", time, &zeros, r#"{"a\\":"\"" }"#),
        body("1", time, &zeros, r#"{},"more":1"#),
        body("1", time, &zeros, &"[".repeat(10_000)),
        fine.replace(r#""v":1"#, r#""v":2"#),
        fine.replace(r#","time""#, r#", "time""#),
        fine.replace(r#","prev""#, r#","behind_us":1,"prev""#).replace(r#"Z","b"#, r#"Z" ,"b"#),
    ] {
        assert_eq!(Record::parse(with_own_hash(&wrong).as_bytes()), Err(RecordFault::Form), "{wrong}");
    }
    let changed = with_own_hash(&fine).replace("\"x\"", "\"y\"");
    assert_eq!(Record::parse(changed.as_bytes()), Err(RecordFault::OwnHash));
    assert_eq!(Record::parse(&[b'x'; RECORD_LINE_BYTES + 1]), Err(RecordFault::TooLong));
    for wrong in [&b""[..], b"\xff", b"{}", b"\n", &[b'x'; RECORD_LINE_BYTES]] {
        assert_eq!(Record::parse(wrong), Err(RecordFault::Form));
    }
}

#[test]
fn line_limit_is_inclusive_for_read_and_write() {
    let facts = |length: usize| {
        // The maximum number of facts; the last fills the line.
        let mut facts: Vec<_> = (0..31).map(|number| (format!("{number:02}"), "v".repeat(1000))).collect();
        facts.push(("last".into(), "v".repeat(length)));
        Event::application("a", facts)
    };
    let short = line(None, &facts(0)).len();
    assert!(short < RECORD_LINE_BYTES);
    let Event::Application(mut application) = facts(0) else { panic!("another event") };
    application.facts.insert("last".into(), "v".repeat(RECORD_LINE_BYTES - short));
    let longest = line(None, &Event::Application(application.clone()));
    assert_eq!(longest.len(), RECORD_LINE_BYTES);
    assert!(Record::parse(&longest).is_ok());
    application.facts.insert("last".into(), "v".repeat(RECORD_LINE_BYTES - short + 1));
    let mut lines = Vec::new();
    let head = Head { index: 41, time: Time::default(), behind_us: None, prev: Digest::of("") };
    assert!(write(&mut lines, &head, &Event::Application(application)).is_none() && lines.is_empty());
}
