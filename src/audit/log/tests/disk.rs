//! A disk that is full, loses what it was given, or has another file where the log was: what then
//! may be told to be recorded, and what is kept.

use std::os::unix::fs::FileExt as _;

use super::*;
use crate::event::RecordsLost;

/// A fact that somebody waits for.
fn fact(done: task::Done<()>) -> Task {
    Task::Fact { event: event("fact"), pays: false, done: Some(done) }
}

/// An event that nobody waits for.
fn unheard(_: task::Done<()>) -> Task {
    Task::Record { event: event("unheard"), owes: false, done: None }
}

impl Hand {
    /// Gives the log no more room than it has and `bytes` more.
    fn fill(&mut self, bytes: u64) {
        let room = fs::metadata(self.place.log()).unwrap().len() + bytes;
        self.fail(|plan| plan.room = Some(room));
        self.writer.forget_room();
    }

    fn lost(&self) -> Vec<u64> {
        let lost = |record: &Record| match record.event() {
            Some(Event::Lost(RecordsLost { records })) => Some(records),
            _ => None,
        };
        self.place.records().iter().filter_map(lost).collect()
    }
}

#[test]
fn entries_leave_space_reserved_for_outcomes() {
    let mut hand = Hand::new(Mode::Required);
    assert!(hand.turn(vec![intent; 8]).iter().all(Result::is_ok));
    hand.fill(8 * writer::OUTCOME);
    let outcomes = hand.turn(vec![fact; 200]);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(LogError::Write(_)))), "they are told that they wait");
    assert!(hand.turn(vec![outcome; 8]).iter().all(Result::is_ok));
    assert_eq!(hand.place.names(), [["intent"; 8], ["outcome"; 8]].concat());
    assert!(hand.writer.deadline().is_some(), "the facts are tried again although nothing arrives");
    hand.heal();
    assert!(hand.turn(vec![plain])[0].is_ok());
    assert_eq!(hand.place.names()[16..], [["fact"; 200].as_slice(), &["plain"]].concat());
    assert_eq!(hand.lost(), [0_u64; 0]);
}

#[test]
fn checkpoints_leave_space_reserved_for_outcomes() {
    let mut hand = Hand::new(Mode::Required);
    assert!(hand.turn(vec![intent; 2]).iter().all(Result::is_ok));
    hand.fill(2 * writer::OUTCOME + 10);
    let (heard, told) = mpsc::channel();
    hand.writer.turn(vec![Task::Checkpoint(Box::new(move |outcome| drop(heard.send(outcome))))]);
    assert!(matches!(told.recv().unwrap(), Err(LogError::Write(_))));
    assert!(hand.turn(vec![outcome; 2]).iter().all(Result::is_ok));
}

#[test]
fn oversized_entry_is_not_acknowledged() {
    let mut hand = Hand::new(Mode::Required);
    let large: fn(task::Done<()>) -> Task = |done| {
        let facts = (0..32).map(|number| (format!("{number}{}", "n".repeat(2000)), "v".repeat(2000)));
        Task::Fact { event: Event::application("large", facts), pays: true, done: Some(done) }
    };
    assert!(hand.turn(vec![intent])[0].is_ok());
    assert!(matches!(hand.turn(vec![large])[..], [Err(LogError::TooLarge)]));
    assert_eq!(hand.writer.owed(), 0);
    assert!(hand.turn(vec![plain])[0].is_ok());
    assert_eq!((hand.place.names(), hand.lost()), (vec!["intent".into(), "plain".into()], vec![1]));
}

#[test]
fn best_effort_writes_nothing_after_dropped_bytes() {
    for by_checkpoint in [false, true] {
        let mut hand = Hand::new(Mode::BestEffort);
        assert!(hand.turn(vec![unheard; 3]).is_empty());
        let size = hand.place.records().len() as u64;
        hand.fail(|plan| plan.sync = Some(Errno::IO));
        if by_checkpoint {
            hand.writer.turn(vec![Task::Checkpoint(Box::new(|outcome| assert!(outcome.is_err())))]);
        } else {
            std::thread::sleep(hand.writer.deadline().unwrap().saturating_duration_since(std::time::Instant::now()));
            assert!(hand.turn(Vec::new()).is_empty());
        }
        assert!(hand.place.records().is_empty(), "the disk was never known to have any of it");
        assert_eq!(hand.shared.status.lock().unwrap().lost, size);
        hand.heal();
        assert!(hand.turn(vec![unheard]).is_empty());
        let text = hand.place.text();
        let first = Record::parse(text.lines().next().unwrap().as_bytes()).unwrap();
        assert_eq!((first.index(), first.event()), (0, Some(Event::Lost(RecordsLost { records: size }))));
    }
}

#[test]
fn best_effort_full_disk_keeps_written_records() {
    let mut hand = Hand::new(Mode::BestEffort);
    assert!(hand.turn(vec![unheard; 3]).is_empty());
    hand.fail(|plan| plan.write = Some((10, Errno::NOSPC)));
    assert!(hand.turn(vec![unheard; 2]).is_empty());
    assert_eq!(hand.place.names(), ["unheard"; 3]);
    // Also when it is long since time to wait for the disk.
    std::thread::sleep(writer::PATIENCE);
    assert!(hand.turn(vec![unheard]).is_empty());
    let deadline = hand.writer.deadline().unwrap();
    assert!(deadline > std::time::Instant::now(), "it is left alone for a while, and so is the processor");
    assert!(hand.turn(Vec::new()).is_empty());
    assert_eq!(hand.writer.deadline(), Some(deadline), "a turn for nothing tries nothing");
    hand.heal();
    assert!(hand.turn(vec![unheard]).is_empty());
    assert_eq!((hand.place.names(), hand.lost()), (vec!["unheard".to_owned(); 4], vec![3]));
}

#[test]
fn externally_changed_log_is_not_continued() {
    let changes: [fn(&Place); 4] = [
        |place| fs::remove_file(place.log()).unwrap(),
        |place| fs::rename(place.log(), place.file("log.1")).unwrap(),
        |place| fs::File::options().write(true).open(place.log()).unwrap().set_len(10).unwrap(),
        |place| {
            let file = fs::File::options().write(true).open(place.log()).unwrap();
            file.write_all_at(b"theirs\n", file.metadata().unwrap().len()).unwrap();
        },
    ];
    for change in changes {
        let place = Place::new();
        let log = place.open();
        log.append(event("one")).unwrap();
        change(&place);
        let before = fs::read(place.log()).ok();
        assert!(matches!(log.append(event("two")), Err(LogError::Write(_))));
        assert!(matches!(log.append(event("three")), Err(LogError::Write(_))));
        assert!(log.close().is_err());
        let after = fs::read(place.log()).ok().map(|bytes| bytes.len());
        assert!(after <= before.map(|bytes| bytes.len()), "nothing is added");
    }
}

#[test]
fn failed_rotation_continues_in_current_file() {
    let place = Place::new();
    let log = place.builder().rotate_at(4096).open().unwrap();
    // Nobody can put the next file there.
    fs::create_dir_all(place.file("log.next/full")).unwrap();
    (0..40).for_each(|number| log.append(event(&number.to_string())).unwrap());
    assert!(full_segments(&place.log()).unwrap().is_empty());
    log.close().unwrap();
    assert_eq!(place.names().len(), 40);
    // Nor is it given a name that something else has.
    let place = Place::new();
    let log = place.builder().rotate_at(4096).open().unwrap();
    fs::write(segments::segment_path(&place.log(), 0), "theirs").unwrap();
    (0..40).for_each(|number| log.append(event(&number.to_string())).unwrap());
    log.close().unwrap();
    assert_eq!(
        (place.names().len(), fs::read_to_string(segments::segment_path(&place.log(), 0)).unwrap().as_str()),
        (40, "theirs")
    );
}

#[test]
fn full_file_releases_unused_reservation() {
    let place = Place::new();
    let log = place.builder().rotate_at(4096).open().unwrap();
    (0..60).for_each(|number| log.append(event(&number.to_string())).unwrap());
    log.close().unwrap();
    for path in full_segments(&place.log()).unwrap().into_iter().map(|(_, path)| path).chain([place.log()]) {
        let status = fs::metadata(&path).unwrap();
        // A block for what is written, and some for how the file system finds it.
        assert!(status.blocks() * 512 <= status.len() + 64 * 1024, "{}: {status:?}", path.display());
    }
}

#[test]
fn whoever_panics_when_told_stops_nobody() {
    let place = Place::new();
    let log = place.open();
    let (heard, told) = mpsc::channel();
    log.submit(event("one"), |_| panic!("as told"));
    log.submit(event("two"), move |outcome| drop(heard.send(outcome)));
    told.recv().unwrap().unwrap();
    log.append(event("three")).unwrap();
    log.close().unwrap();
    assert_eq!(place.names(), ["one", "two", "three"]);
}

/// An event that takes about as much memory as one can that becomes a record.
fn large() -> Event {
    Event::application("large", (0..30).map(|number| (format!("{number}{}", "n".repeat(2000)), "v".repeat(2000))))
}

#[test]
fn waiting_large_events_use_bounded_memory() {
    let mailbox = Mailbox::default();
    let record = || Task::Record { event: large(), owes: false, done: None };
    let fact = |event, pays| Task::Fact { event, pays, done: None };
    let weight = large().weight();
    assert!(weight > 30 * 2000, "{weight}");
    let taken = (0..3000).take_while(|_| mailbox.put(record()).is_none()).count();
    assert_eq!(taken, task::WAITING_BYTES / weight);
    let facts = (0..3000).take_while(|_| mailbox.put(fact(large(), false)).is_none()).count();
    assert_eq!(taken + facts, (task::WAITING_BYTES + task::FACTS_BYTES) / weight);
    assert!(mailbox.put(fact(large(), true)).is_none(), "an outcome has its place");
    assert_eq!(mailbox.take(None).len(), taken + facts + 1);
    assert!(mailbox.put(record()).is_none(), "what was taken does not wait");
}

#[test]
fn unwritable_large_entries_use_bounded_memory() {
    let mut hand = Hand::new(Mode::Required);
    hand.fail(|plan| plan.sync = Some(Errno::IO));
    let most = (task::FACTS_BYTES / large().weight()) as u64;
    let facts = (0..most + 5).map(|_| Task::Fact { event: large(), pays: false, done: None });
    assert!(hand.writer.turn(facts.collect()).is_none());
    assert_eq!(hand.shared.status.lock().unwrap().lost, 5);
    hand.heal();
    assert!(hand.turn(vec![plain])[0].is_ok());
    let large_ones = hand.place.names().iter().filter(|name| *name == "large").count() as u64;
    assert_eq!((large_ones, hand.lost()), (most, vec![5]));
    hand.fail(|plan| plan.sync = Some(Errno::IO));
    assert!(hand.writer.turn(vec![Task::Fact { event: large(), pays: false, done: None }]).is_none());
    assert_eq!(hand.shared.status.lock().unwrap().lost, 5, "what was written is not kept");
}

#[test]
fn an_outcome_finds_its_place_however_much_waits() {
    let mailbox = Mailbox::default();
    let fact = |pays| Task::Fact { event: event("x"), pays, done: None };
    for _ in 0..task::WAITING + task::FACTS {
        assert!(mailbox.put(fact(false)).is_none());
    }
    let record = Task::Record { event: event("x"), owes: false, done: None };
    assert!(matches!(mailbox.put(record), Some((_, LogError::Busy))));
    assert!(matches!(mailbox.put(fact(false)), Some((_, LogError::Busy))));
    assert!(mailbox.put(fact(true)).is_none());
}
