//! Batches: written whole or not at all, on a working, full or failing disk.

use super::*;

#[test]
fn one_batch_needs_one_sync() {
    let mut manual = ManualWriter::new(Mode::Required);
    let before = manual.writer.faults().syncs.load(Ordering::Relaxed);
    let outcomes = manual.process(vec![plain; 100]);
    assert!(outcomes.len() == 100 && outcomes.iter().all(Result::is_ok));
    assert_eq!(manual.writer.faults().syncs.load(Ordering::Relaxed) - before, 1);
}

#[test]
fn failing_disk_rejects_and_truncates_then_recovers() {
    let failures: [fn(&mut faults::Plan); 4] = [
        |plan| plan.write = Some((0, Errno::IO)),
        |plan| plan.write = Some((150, Errno::NOSPC)),
        |plan| plan.sync = Some(Errno::IO),
        |plan| (plan.write, plan.cut) = (Some((150, Errno::IO)), Some(Errno::IO)),
    ];
    for fail in failures {
        let mut manual = ManualWriter::new(Mode::Required);
        assert!(manual.process(vec![plain])[0].is_ok());
        manual.fail(fail);
        let outcomes = manual.process(vec![plain, intent, plain]);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(LogError::Write(_)))), "{outcomes:?}");
        assert_eq!(manual.writer.reservations(), 0, "a refused intent holds no reservation");
        manual.heal();
        assert!(manual.process(vec![plain]).iter().all(Result::is_ok));
        assert_eq!(manual.fixture.names(), ["plain", "plain"], "refused records are not in the log");
        assert_eq!(manual.shared.status.lock().unwrap().lost, 0);
    }
}

#[test]
fn past_events_are_recorded_after_disk_recovery() {
    let mut manual = ManualWriter::new(Mode::Required);
    manual.fail(|plan| plan.sync = Some(Errno::IO));
    let mandatory: fn(task::Done<()>) -> Task =
        |_| Task::Mandatory { event: event("mandatory"), redeems: false, done: None };
    assert!(matches!(manual.process(vec![outcome])[..], [Err(LogError::Write(_))]), "the caller gets the error");
    assert!(manual.process(vec![mandatory]).is_empty());
    assert!(manual.writer.deadline().is_some(), "the writer retries without a new task");
    manual.heal();
    assert!(manual.process(vec![plain])[0].is_ok());
    assert_eq!(manual.fixture.names(), ["outcome", "mandatory", "plain"]);
}

#[test]
fn full_disk_rejects_starts_and_records_outcomes() {
    let mut manual = ManualWriter::new(Mode::Required);
    assert!(manual.process(vec![intent, intent]).iter().all(Result::is_ok));
    assert_eq!(manual.writer.reservations(), 2);
    // From here on the disk has no more space.
    let room = fs::metadata(manual.fixture.log()).unwrap().len() + 2 * RESERVATION_BYTES;
    manual.fail(|plan| plan.room = Some(room));
    manual.writer.forget_allocation();
    let outcomes = manual.process(vec![intent, outcome, plain]);
    assert!(matches!(outcomes[..], [Err(_), Ok(()), Err(_)]), "{outcomes:?}");
    assert_eq!(manual.process(vec![outcome]).len(), 1);
    assert_eq!(manual.writer.reservations(), 0);
    assert_eq!(manual.fixture.names(), ["intent", "intent", "outcome", "outcome"]);
    manual.heal();
    assert!(manual.process(vec![intent])[0].is_ok(), "records are accepted when there is space again");
}

#[test]
fn file_system_without_reservations_works_and_is_reported() {
    let mut manual = ManualWriter::new(Mode::Required);
    assert!(manual.shared.status.lock().unwrap().preallocates);
    manual.fail(|plan| plan.reserve = Some(Errno::OPNOTSUPP));
    manual.writer.forget_allocation();
    assert!(manual.process(vec![intent])[0].is_ok());
    assert!(!manual.shared.status.lock().unwrap().preallocates);
}

#[test]
fn best_effort_never_waits_and_counts_losses() {
    let mut manual = ManualWriter::new(Mode::BestEffort);
    let unanswered: fn(task::Done<()>) -> Task =
        |_| Task::Record { event: event("unanswered"), reserves: false, done: None };
    manual.fail(|plan| plan.write = Some((10, Errno::NOSPC)));
    assert!(manual.process(vec![unanswered; 3]).is_empty());
    manual.heal();
    assert!(manual.process(vec![unanswered]).is_empty());
    assert_eq!(manual.fixture.names(), ["unanswered"]);
    let lost = manual.fixture.records().iter().find_map(|record| match record.event() {
        Some(Event::Lost(lost)) => Some(lost.records),
        _ => None,
    });
    assert_eq!((lost, manual.shared.status.lock().unwrap().lost), (Some(3), 3));
    let fixture = Fixture::new();
    let log = fixture.builder().best_effort().open().unwrap();
    let acknowledged = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&acknowledged);
    log.submit(event("x"), move |outcome| flag.store(outcome.is_ok(), Ordering::Relaxed));
    assert!(acknowledged.load(Ordering::Relaxed), "acknowledged before the write");
    drop(log);
    assert_eq!(fixture.names(), ["x"]);
}

#[test]
fn only_the_oversized_event_is_refused() {
    let mut manual = ManualWriter::new(Mode::Required);
    let large: fn(task::Done<()>) -> Task = |done| {
        let facts = (0..32).map(|number| (format!("{number}{}", "n".repeat(2000)), "v".repeat(2000)));
        Task::Record { event: Event::application("large", facts), reserves: true, done: Some(done) }
    };
    let outcomes = manual.process(vec![plain, large, plain]);
    assert!(matches!(outcomes[..], [Ok(()), Err(LogError::TooLarge), Ok(())]), "{outcomes:?}");
    assert_eq!((manual.writer.reservations(), manual.fixture.names().len()), (0, 2));
}

#[test]
fn full_queue_refuses_records() {
    let mailbox = Mailbox::default();
    let task = || Task::Record { event: event("x"), reserves: false, done: None };
    for _ in 0..QUEUED_TASKS {
        assert!(mailbox.put(task()).is_none());
    }
    assert!(matches!(mailbox.put(task()), Some((_, LogError::Busy))));
    assert!(mailbox.put(Task::Release).is_none());
    assert_eq!(mailbox.take(None).len(), QUEUED_TASKS + 1);
    assert!(mailbox.put(task()).is_none());
    assert_eq!(mailbox.close().len(), 1);
    assert!(matches!(mailbox.put(task()), Some((_, LogError::Closed))));
}
