//! Slow, failing and panicking sinks: the log never waits for them and counts the copies that they
//! miss.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::SystemTime;

use super::*;
use crate::audit::evidence::chain::Chain;
use crate::event::Event;
use crate::limits::audit::{SINK_BYTES, SINK_RECORDS};

/// Returns the first lines of a log.
fn lines(count: usize) -> Vec<Vec<u8>> {
    let (mut chain, mut lines) = (Chain::start(), Vec::new());
    for number in 0..count {
        assert!(chain.write(&mut lines, SystemTime::now(), &Event::application(number.to_string(), [("a", "b")])));
    }
    lines.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Reports each record and then follows an order. Fails when the orders end.
struct Scripted {
    got: Sender<u64>,
    orders: Receiver<Order>,
}

enum Order {
    Take,
    Refuse,
    Panic,
}

impl Sink for Scripted {
    fn name(&self) -> &str {
        "scripted\n"
    }

    fn deliver(&mut self, record: &Record) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.got.send(record.index()).unwrap();
        match self.orders.recv() {
            Ok(Order::Take) => Ok(()),
            Ok(Order::Refuse) => Err("not today".into()),
            Ok(Order::Panic) => panic!("as ordered"),
            Err(_) => Err("no more orders".into()),
        }
    }
}

/// Starts a scripted sink. Returns the records that it gets and the channel for its orders.
fn scripted() -> (Sinks, Receiver<u64>, Sender<Order>) {
    let ((got, gets), (order, orders)) = (mpsc::channel(), mpsc::channel());
    (Sinks::new(vec![Box::new(Scripted { got, orders })]).unwrap(), gets, order)
}

fn wait(sinks: &Sinks) {
    assert!(sinks.drain(Duration::from_secs(60)));
}

#[test]
fn each_record_arrives_once_and_in_order() {
    let (sinks, got, order) = scripted();
    let lines = lines(100);
    for line in &lines {
        sinks.offer(line);
        order.send(Order::Take).unwrap();
    }
    wait(&sinks);
    assert_eq!(got.try_iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    assert_eq!(sinks.take_missed(), []);
}

#[test]
fn slow_sink_blocks_no_one_and_losses_count() {
    let (sinks, got, order) = scripted();
    let lines = lines(1);
    sinks.offer(&lines[0]);
    // The sink is busy with the first record, so the others wait.
    got.recv().unwrap();
    (0..SINK_RECORDS + 7).for_each(|_| sinks.offer(&lines[0]));
    let missed = sinks.take_missed();
    let expected = DeliveryFailed { to: r"scripted\n".into(), count: 7, reason: "its queue was full".into() };
    assert_eq!(missed, [expected]);
    assert!(!sinks.drain(Duration::ZERO));
    (0..=SINK_RECORDS).for_each(|_| order.send(Order::Take).unwrap());
    wait(&sinks);
    assert_eq!(got.try_iter().count(), SINK_RECORDS);
    assert_eq!(sinks.take_missed(), [], "the loss was recorded already");
}

#[test]
fn bytes_in_the_queue_are_bounded() {
    let (sinks, got, _order) = scripted();
    let line = vec![b'x'; SINK_BYTES / 4];
    sinks.offer(&lines(1)[0]);
    got.recv().unwrap();
    (0..4).for_each(|_| sinks.offer(&line));
    assert_eq!(sinks.take_missed(), []);
    sinks.offer(b"x");
    assert_eq!(sinks.take_missed().len(), 1);
}

#[test]
fn failed_deliveries_count_with_their_reason() {
    let (sinks, _got, order) = scripted();
    for line in lines(2) {
        order.send(Order::Refuse).unwrap();
        sinks.offer(&line);
    }
    wait(&sinks);
    assert_eq!(
        sinks.take_missed(),
        [DeliveryFailed { to: r"scripted\n".into(), count: 2, reason: "not today".into() }]
    );
    assert_eq!(sinks.take_missed(), [], "each loss is recorded once");
    // A line that is not a record is not delivered.
    sinks.offer(b"{}\n");
    wait(&sinks);
    let reason = "malformed record".to_owned();
    order.send(Order::Take).unwrap();
    sinks.offer(&lines(1)[0]);
    wait(&sinks);
    assert_eq!(sinks.take_missed(), [DeliveryFailed { to: r"scripted\n".into(), count: 3, reason }]);
}

#[test]
fn panicking_sink_ends_alone() {
    let ((got, gets), (order, orders)) = (mpsc::channel(), mpsc::channel());
    let ((other_got, other_gets), (other_order, other_orders)) = (mpsc::channel(), mpsc::channel());
    let scripted = |got, orders| -> Box<dyn Sink> { Box::new(Scripted { got, orders }) };
    let sinks = Sinks::new(vec![scripted(got, orders), scripted(other_got, other_orders)]).unwrap();
    order.send(Order::Panic).unwrap();
    for line in lines(3) {
        other_order.send(Order::Take).unwrap();
        sinks.offer(&line);
    }
    wait(&sinks);
    assert_eq!((gets.iter().count(), other_gets.try_iter().count()), (1, 3));
    assert_eq!(
        sinks.take_missed(),
        [DeliveryFailed { to: r"scripted\n".into(), count: 3, reason: "it panicked".into() }],
        "the other sink misses nothing"
    );
}

#[test]
fn closing_the_log_delivers_waiting_records() {
    let (sinks, got, order) = scripted();
    for line in lines(10) {
        sinks.offer(&line);
        order.send(Order::Take).unwrap();
    }
    drop(sinks);
    assert_eq!(got.try_iter().count(), 10);
}

#[test]
fn alerts_are_what_the_event_says() {
    let line = |event: &str| {
        let (mut chain, mut lines) = (Chain::start(), Vec::new());
        let event: Event = serde_json::from_str(event).unwrap();
        assert!(chain.write(&mut lines, SystemTime::now(), &event));
        Record::parse(lines.strip_suffix(b"\n").unwrap()).unwrap()
    };
    let torn = format!(
        r#"{{"type":"opened","format":"f","origin":"o","key":"k","writer":"w","pid":1,"mode":"required","torn":[{{"bytes":1,"sha256":"{}","file":"f"}}]}}"#,
        "0".repeat(64)
    );
    for (event, expected) in [
        (torn.as_str(), true),
        (r#"{"type":"lost","records":1}"#, true),
        (r#"{"type":"undelivered","to":"a","count":1,"reason":"b"}"#, true),
        (r#"{"type":"weakened","launch":"00c0ffee00c0ffee","switch":"inherit_stdin"}"#, true),
        (r#"{"type":"limit","limit":"connections","allowed":1}"#, true),
        (r#"{"type":"launch_failed","launch":"00c0ffee00c0ffee","refused":true,"reason":"a"}"#, true),
        (r#"{"type":"verification","plugin":"kv","verdict":"refused","findings":[]}"#, true),
        (r#"{"type":"verification","plugin":"kv","verdict":"unchecked","findings":[]}"#, true),
        (r#"{"type":"verification","plugin":"kv","verdict":"allowed","findings":[]}"#, false),
        (r#"{"type":"exit","launch":"00c0ffee00c0ffee","pid":1,"exit":"exit status 0"}"#, false),
        (r#"{"type":"application","name":"lost","facts":{"launch":"x"}}"#, false),
        (r#"{"type":"closed","pid":1}"#, false),
        (
            r#"{"type":"opened","format":"f","origin":"o","key":"k","writer":"w","pid":1,"mode":"required","torn":[]}"#,
            false,
        ),
    ] {
        assert_eq!(super::is_alert(&line(event)), expected, "{event}");
    }
    let record = line(r#"{"type":"exit","launch":"00c0ffee00c0ffee","pid":1,"exit":"exit status 0"}"#);
    let outline = Outline::of(&record);
    assert_eq!((&*outline.kind, outline.launch.as_deref()), ("exit", Some("00c0ffee00c0ffee")));
}
