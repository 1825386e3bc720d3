//! Sinks that are slow, broken or gone: nobody waits for them, and what they did not get is
//! counted.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::SystemTime;

use super::queue::{BYTES, RECORDS};
use super::*;
use crate::audit::evidence::chain::Chain;
use crate::event::Event;

/// Lines of a log, from its beginning.
fn lines(count: usize) -> Vec<Vec<u8>> {
    let (mut chain, mut lines) = (Chain::start(), Vec::new());
    for number in 0..count {
        assert!(chain.write(&mut lines, SystemTime::now(), &Event::application(number.to_string(), [("a", "b")])));
    }
    lines.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Says what it gets, and does what it is told with each: nothing told is the end.
struct Told {
    got: Sender<u64>,
    orders: Receiver<Order>,
}

enum Order {
    Take,
    Refuse,
    Panic,
}

impl Sink for Told {
    fn name(&self) -> &str {
        "told\n"
    }

    fn deliver(&mut self, record: &Record) -> Result<(), Box<dyn Error + Send + Sync>> {
        self.got.send(record.index()).unwrap();
        match self.orders.recv() {
            Ok(Order::Take) => Ok(()),
            Ok(Order::Refuse) => Err("not today".into()),
            Ok(Order::Panic) => panic!("as told"),
            Err(_) => Err("nobody is there".into()),
        }
    }
}

/// Sinks with one that does what it is told, what it got and where it is told.
fn told() -> (Sinks, Receiver<u64>, Sender<Order>) {
    let ((got, gets), (order, orders)) = (mpsc::channel(), mpsc::channel());
    (Sinks::new(vec![Box::new(Told { got, orders })]).unwrap(), gets, order)
}

fn wait(sinks: &Sinks) {
    assert!(sinks.drain(Duration::from_secs(60)));
}

#[test]
fn each_record_arrives_once_and_in_order() {
    let (sinks, got, order) = told();
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
fn slow_sink_blocks_nothing_and_drops_are_counted() {
    let (sinks, got, order) = told();
    let lines = lines(1);
    sinks.offer(&lines[0]);
    // It is in there with the first one, and so the rest waits.
    got.recv().unwrap();
    (0..RECORDS + 7).for_each(|_| sinks.offer(&lines[0]));
    let missed = sinks.take_missed();
    let expected = DeliveryFailed { to: r"told\n".into(), count: 7, reason: "too much waited for it".into() };
    assert_eq!(missed, [expected]);
    assert!(!sinks.drain(Duration::ZERO));
    (0..=RECORDS).for_each(|_| order.send(Order::Take).unwrap());
    wait(&sinks);
    assert_eq!(got.try_iter().count(), RECORDS);
    assert_eq!(sinks.take_missed(), [], "it was said, and then others arrived");
}

#[test]
fn no_more_bytes_wait_than_may() {
    let (sinks, got, _order) = told();
    let line = vec![b'x'; BYTES / 4];
    sinks.offer(&lines(1)[0]);
    got.recv().unwrap();
    (0..4).for_each(|_| sinks.offer(&line));
    assert_eq!(sinks.take_missed(), []);
    sinks.offer(b"x");
    assert_eq!(sinks.take_missed().len(), 1);
}

#[test]
fn records_rejected_by_a_sink_are_counted() {
    let (sinks, _got, order) = told();
    for line in lines(2) {
        order.send(Order::Refuse).unwrap();
        sinks.offer(&line);
    }
    wait(&sinks);
    assert_eq!(sinks.take_missed(), [DeliveryFailed { to: r"told\n".into(), count: 2, reason: "not today".into() }]);
    assert_eq!(sinks.take_missed(), [], "it is said once");
    // What is no record is no sink's business.
    sinks.offer(b"{}\n");
    wait(&sinks);
    let reason = "the line does not have the form of a record".to_owned();
    order.send(Order::Take).unwrap();
    sinks.offer(&lines(1)[0]);
    wait(&sinks);
    assert_eq!(sinks.take_missed(), [DeliveryFailed { to: r"told\n".into(), count: 3, reason }]);
}

#[test]
fn panicking_sink_is_dropped_alone() {
    let ((got, gets), (order, orders)) = (mpsc::channel(), mpsc::channel());
    let ((other_got, other_gets), (other_order, other_orders)) = (mpsc::channel(), mpsc::channel());
    let told = |got, orders| -> Box<dyn Sink> { Box::new(Told { got, orders }) };
    let sinks = Sinks::new(vec![told(got, orders), told(other_got, other_orders)]).unwrap();
    order.send(Order::Panic).unwrap();
    for line in lines(3) {
        other_order.send(Order::Take).unwrap();
        sinks.offer(&line);
    }
    wait(&sinks);
    assert_eq!((gets.iter().count(), other_gets.try_iter().count()), (1, 3));
    assert_eq!(
        sinks.take_missed(),
        [DeliveryFailed { to: r"told\n".into(), count: 3, reason: "it panicked".into() }],
        "the other one misses nothing"
    );
}

#[test]
fn queued_records_are_delivered_on_close() {
    let (sinks, got, order) = told();
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
    for (event, is_alert) in [
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
    ] {
        assert_eq!(super::is_alert(&line(event)), is_alert, "{event}");
    }
    let record = line(r#"{"type":"exit","launch":"00c0ffee00c0ffee","pid":1,"exit":"exit status 0"}"#);
    let outline = Outline::of(&record);
    assert_eq!((&*outline.kind, outline.launch.as_deref()), ("exit", Some("00c0ffee00c0ffee")));
}
