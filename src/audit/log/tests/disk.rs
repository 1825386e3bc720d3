//! A disk that is full, drops bytes, or has another file at the path of the log: the answers that
//! callers get, and the records that stay.

use std::os::unix::fs::FileExt as _;

use super::*;
use crate::event::RecordsLost;

/// A mandatory entry with a caller.
fn mandatory(done: task::Done<()>) -> Task {
    Task::Mandatory { event: event("mandatory"), redeems: false, done: Some(done) }
}

/// A record without a caller.
fn unanswered(_: task::Done<()>) -> Task {
    Task::Record { event: event("unanswered"), reserves: false, done: None }
}

impl ManualWriter {
    /// Limits the disk to the current length and `bytes` more.
    fn fill(&mut self, bytes: u64) {
        let room = fs::metadata(self.fixture.log()).unwrap().len() + bytes;
        self.fail(|plan| plan.room = Some(room));
        self.writer.forget_allocation();
    }

    fn lost(&self) -> Vec<u64> {
        let lost = |record: &Record| match record.event() {
            Some(Event::Lost(RecordsLost { records })) => Some(records),
            _ => None,
        };
        self.fixture.records().iter().filter_map(lost).collect()
    }
}

#[test]
fn entries_leave_space_reserved_for_outcomes() {
    let mut manual = ManualWriter::new(Mode::Required);
    assert!(manual.process(vec![intent; 8]).iter().all(Result::is_ok));
    manual.fill(8 * RESERVATION_BYTES);
    let outcomes = manual.process(vec![mandatory; 200]);
    assert!(
        outcomes.iter().all(|outcome| matches!(outcome, Err(LogError::Write(_)))),
        "callers learn that their entries wait"
    );
    assert!(manual.process(vec![outcome; 8]).iter().all(Result::is_ok));
    assert_eq!(manual.fixture.names(), [["intent"; 8], ["outcome"; 8]].concat());
    assert!(manual.writer.deadline().is_some(), "the writer retries without a new task");
    manual.heal();
    assert!(manual.process(vec![plain])[0].is_ok());
    assert_eq!(manual.fixture.names()[16..], [["mandatory"; 200].as_slice(), &["plain"]].concat());
    assert_eq!(manual.lost(), [0_u64; 0]);
}

#[test]
fn checkpoints_leave_space_reserved_for_outcomes() {
    let mut manual = ManualWriter::new(Mode::Required);
    assert!(manual.process(vec![intent; 2]).iter().all(Result::is_ok));
    manual.fill(2 * RESERVATION_BYTES + 10);
    let (sender, receiver) = mpsc::channel();
    manual.writer.process(vec![Task::Checkpoint(Box::new(move |outcome| drop(sender.send(outcome))))]);
    assert!(matches!(receiver.recv().unwrap(), Err(LogError::Write(_))));
    assert!(manual.process(vec![outcome; 2]).iter().all(Result::is_ok));
}

#[test]
fn oversized_entry_is_not_acknowledged() {
    let mut manual = ManualWriter::new(Mode::Required);
    let large: fn(task::Done<()>) -> Task = |done| {
        let facts = (0..32).map(|number| (format!("{number}{}", "n".repeat(2000)), "v".repeat(2000)));
        Task::Mandatory { event: Event::application("large", facts), redeems: true, done: Some(done) }
    };
    assert!(manual.process(vec![intent])[0].is_ok());
    assert!(matches!(manual.process(vec![large])[..], [Err(LogError::TooLarge)]));
    assert_eq!(manual.writer.reservations(), 0);
    assert!(manual.process(vec![plain])[0].is_ok());
    assert_eq!((manual.fixture.names(), manual.lost()), (vec!["intent".into(), "plain".into()], vec![1]));
}

#[test]
fn best_effort_writes_nothing_after_dropped_bytes() {
    for by_checkpoint in [false, true] {
        let mut manual = ManualWriter::new(Mode::BestEffort);
        assert!(manual.process(vec![unanswered; 3]).is_empty());
        let size = manual.fixture.records().len() as u64;
        manual.fail(|plan| plan.sync = Some(Errno::IO));
        if by_checkpoint {
            manual.writer.process(vec![Task::Checkpoint(Box::new(|outcome| assert!(outcome.is_err())))]);
        } else {
            std::thread::sleep(manual.writer.deadline().unwrap().saturating_duration_since(std::time::Instant::now()));
            assert!(manual.process(Vec::new()).is_empty());
        }
        assert!(manual.fixture.records().is_empty(), "none of the records was synced");
        assert_eq!(manual.shared.status.lock().unwrap().lost, size);
        manual.heal();
        assert!(manual.process(vec![unanswered]).is_empty());
        let text = manual.fixture.text();
        let first = Record::parse(text.lines().next().unwrap().as_bytes()).unwrap();
        assert_eq!((first.index(), first.event()), (0, Some(Event::Lost(RecordsLost { records: size }))));
    }
}

#[test]
fn best_effort_full_disk_keeps_written_records() {
    let mut manual = ManualWriter::new(Mode::BestEffort);
    assert!(manual.process(vec![unanswered; 3]).is_empty());
    manual.fail(|plan| plan.write = Some((10, Errno::NOSPC)));
    assert!(manual.process(vec![unanswered; 2]).is_empty());
    assert_eq!(manual.fixture.names(), ["unanswered"; 3]);
    // Also after the time for a sync has passed.
    std::thread::sleep(RETRY_AFTER);
    assert!(manual.process(vec![unanswered]).is_empty());
    let deadline = manual.writer.deadline().unwrap();
    assert!(deadline > std::time::Instant::now(), "no busy loop");
    assert!(manual.process(Vec::new()).is_empty());
    assert_eq!(manual.writer.deadline(), Some(deadline), "an empty round tries nothing");
    manual.heal();
    assert!(manual.process(vec![unanswered]).is_empty());
    assert_eq!((manual.fixture.names(), manual.lost()), (vec!["unanswered".to_owned(); 4], vec![3]));
}

#[test]
fn externally_changed_log_is_not_continued() {
    let changes: [fn(&Fixture); 4] = [
        |fixture| fs::remove_file(fixture.log()).unwrap(),
        |fixture| fs::rename(fixture.log(), fixture.file("log.1")).unwrap(),
        |fixture| fs::File::options().write(true).open(fixture.log()).unwrap().set_len(10).unwrap(),
        |fixture| {
            let file = fs::File::options().write(true).open(fixture.log()).unwrap();
            file.write_all_at(b"theirs\n", file.metadata().unwrap().len()).unwrap();
        },
    ];
    for change in changes {
        let fixture = Fixture::new();
        let log = fixture.open();
        log.append(event("one")).unwrap();
        change(&fixture);
        let before = fs::read(fixture.log()).ok();
        assert!(matches!(log.append(event("two")), Err(LogError::Write(_))));
        assert!(matches!(log.append(event("three")), Err(LogError::Write(_))));
        assert!(log.close().is_err());
        let after = fs::read(fixture.log()).ok().map(|bytes| bytes.len());
        assert!(after <= before.map(|bytes| bytes.len()), "no byte is added");
    }
}

#[test]
fn failed_rotation_continues_in_current_file() {
    let fixture = Fixture::new();
    let log = fixture.builder().rotate_at(4096).open().unwrap();
    // A directory blocks the path of the next file.
    fs::create_dir_all(fixture.file("log.next/full")).unwrap();
    (0..40).for_each(|number| log.append(event(&number.to_string())).unwrap());
    assert!(full_segments(&fixture.log()).unwrap().is_empty());
    log.close().unwrap();
    assert_eq!(fixture.names().len(), 40);
    // A file at the path of the full segment is not replaced.
    let fixture = Fixture::new();
    let log = fixture.builder().rotate_at(4096).open().unwrap();
    fs::write(segments::segment_path(&fixture.log(), 0), "theirs").unwrap();
    (0..40).for_each(|number| log.append(event(&number.to_string())).unwrap());
    log.close().unwrap();
    assert_eq!(
        (fixture.names().len(), fs::read_to_string(segments::segment_path(&fixture.log(), 0)).unwrap().as_str()),
        (40, "theirs")
    );
}

#[test]
fn full_file_releases_unused_reservation() {
    let fixture = Fixture::new();
    let log = fixture.builder().rotate_at(4096).open().unwrap();
    (0..60).for_each(|number| log.append(event(&number.to_string())).unwrap());
    log.close().unwrap();
    for path in full_segments(&fixture.log()).unwrap().into_iter().map(|(_, path)| path).chain([fixture.log()]) {
        let status = fs::metadata(&path).unwrap();
        // The content, and some blocks for the file system's own data.
        assert!(status.blocks() * 512 <= status.len() + 64 * 1024, "{}: {status:?}", path.display());
    }
}

#[test]
fn panicking_callback_does_not_stop_the_log() {
    let fixture = Fixture::new();
    let log = fixture.open();
    let (sender, receiver) = mpsc::channel();
    log.submit(event("one"), |_| panic!("a callback that panics"));
    log.submit(event("two"), move |outcome| drop(sender.send(outcome)));
    receiver.recv().unwrap().unwrap();
    log.append(event("three")).unwrap();
    log.close().unwrap();
    assert_eq!(fixture.names(), ["one", "two", "three"]);
}

/// An event about as large as a record can be.
fn large() -> Event {
    Event::application("large", (0..30).map(|number| (format!("{number}{}", "n".repeat(2000)), "v".repeat(2000))))
}

#[test]
fn waiting_large_events_use_bounded_memory() {
    let mailbox = Mailbox::default();
    let record = || Task::Record { event: large(), reserves: false, done: None };
    let mandatory = |event, redeems| Task::Mandatory { event, redeems, done: None };
    let weight = large().weight();
    assert!(weight > 30 * 2000, "{weight}");
    let taken = (0..3000).take_while(|_| mailbox.put(record()).is_none()).count();
    assert_eq!(taken, QUEUED_BYTES / weight);
    let entries = (0..3000).take_while(|_| mailbox.put(mandatory(large(), false)).is_none()).count();
    assert_eq!(taken + entries, (QUEUED_BYTES + MANDATORY_BYTES) / weight);
    assert!(mailbox.put(mandatory(large(), true)).is_none(), "a redeeming outcome is always queued");
    assert_eq!(mailbox.take(None).len(), taken + entries + 1);
    assert!(mailbox.put(record()).is_none(), "taken tasks free their memory");
}

#[test]
fn unwritable_large_entries_use_bounded_memory() {
    let mut manual = ManualWriter::new(Mode::Required);
    manual.fail(|plan| plan.sync = Some(Errno::IO));
    let most = (MANDATORY_BYTES / large().weight()) as u64;
    let entries = (0..most + 5).map(|_| Task::Mandatory { event: large(), redeems: false, done: None });
    assert!(manual.writer.process(entries.collect()).is_none());
    assert_eq!(manual.shared.status.lock().unwrap().lost, 5);
    manual.heal();
    assert!(manual.process(vec![plain])[0].is_ok());
    let large_ones = manual.fixture.names().iter().filter(|name| *name == "large").count() as u64;
    assert_eq!((large_ones, manual.lost()), (most, vec![5]));
    manual.fail(|plan| plan.sync = Some(Errno::IO));
    assert!(manual.writer.process(vec![Task::Mandatory { event: large(), redeems: false, done: None }]).is_none());
    assert_eq!(manual.shared.status.lock().unwrap().lost, 5, "written entries leave the backlog");
}

#[test]
fn full_queue_still_accepts_redeeming_outcomes() {
    let mailbox = Mailbox::default();
    let mandatory = |redeems| Task::Mandatory { event: event("x"), redeems, done: None };
    for _ in 0..QUEUED_TASKS + MANDATORY_ENTRIES {
        assert!(mailbox.put(mandatory(false)).is_none());
    }
    let record = Task::Record { event: event("x"), reserves: false, done: None };
    assert!(matches!(mailbox.put(record), Some((_, LogError::Busy))));
    assert!(matches!(mailbox.put(mandatory(false)), Some((_, LogError::Busy))));
    assert!(mailbox.put(mandatory(true)).is_none());
}
