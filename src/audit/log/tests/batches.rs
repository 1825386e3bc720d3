//! What is written together: all of it or nothing, on a disk that is well, full or failing.

use super::*;

#[test]
fn what_waits_together_costs_the_disk_once() {
    let mut hand = Hand::new(Mode::Required);
    let before = hand.writer.faults().syncs.load(Ordering::Relaxed);
    let outcomes = hand.turn(vec![plain; 100]);
    assert!(outcomes.len() == 100 && outcomes.iter().all(Result::is_ok));
    assert_eq!(hand.writer.faults().syncs.load(Ordering::Relaxed) - before, 1);
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
        let mut hand = Hand::new(Mode::Required);
        assert!(hand.turn(vec![plain])[0].is_ok());
        hand.fail(fail);
        let outcomes = hand.turn(vec![plain, intent, plain]);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(LogError::Write(_)))), "{outcomes:?}");
        assert_eq!(hand.writer.owed(), 0, "what was refused owes nothing");
        hand.heal();
        assert!(hand.turn(vec![plain]).iter().all(Result::is_ok));
        assert_eq!(hand.place.names(), ["plain", "plain"], "nothing of what was refused is there");
        assert_eq!(hand.shared.status.lock().unwrap().lost, 0);
    }
}

#[test]
fn past_events_are_recorded_after_disk_recovery() {
    let mut hand = Hand::new(Mode::Required);
    hand.fail(|plan| plan.sync = Some(Errno::IO));
    let fact: fn(task::Done<()>) -> Task = |_| Task::Fact { event: event("fact"), pays: false, done: None };
    assert!(matches!(hand.turn(vec![outcome])[..], [Err(LogError::Write(_))]), "who waits is told at once");
    assert!(hand.turn(vec![fact]).is_empty());
    assert!(hand.writer.deadline().is_some(), "it is tried again although nothing arrives");
    hand.heal();
    assert!(hand.turn(vec![plain])[0].is_ok());
    assert_eq!(hand.place.names(), ["outcome", "fact", "plain"]);
}

#[test]
fn full_disk_rejects_starts_and_records_outcomes() {
    let mut hand = Hand::new(Mode::Required);
    assert!(hand.turn(vec![intent, intent]).iter().all(Result::is_ok));
    assert_eq!(hand.writer.owed(), 2);
    // From here on nobody gives the log any more room than it has.
    let room = fs::metadata(hand.place.log()).unwrap().len() + 2 * writer::OUTCOME;
    hand.fail(|plan| plan.room = Some(room));
    hand.writer.forget_room();
    let outcomes = hand.turn(vec![intent, outcome, plain]);
    assert!(matches!(outcomes[..], [Err(_), Ok(()), Err(_)]), "{outcomes:?}");
    assert_eq!(hand.turn(vec![outcome]).len(), 1);
    assert_eq!(hand.writer.owed(), 0);
    assert_eq!(hand.place.names(), ["intent", "intent", "outcome", "outcome"]);
    hand.heal();
    assert!(hand.turn(vec![intent])[0].is_ok(), "it goes on when there is room again");
}

#[test]
fn file_system_without_reservations_works_and_is_reported() {
    let mut hand = Hand::new(Mode::Required);
    assert!(hand.shared.status.lock().unwrap().preallocates);
    hand.fail(|plan| plan.reserve = Some(Errno::OPNOTSUPP));
    hand.writer.forget_room();
    assert!(hand.turn(vec![intent])[0].is_ok());
    assert!(!hand.shared.status.lock().unwrap().preallocates);
}

#[test]
fn best_effort_never_waits_and_counts_losses() {
    let mut hand = Hand::new(Mode::BestEffort);
    let unheard: fn(task::Done<()>) -> Task = |_| Task::Record { event: event("unheard"), owes: false, done: None };
    hand.fail(|plan| plan.write = Some((10, Errno::NOSPC)));
    assert!(hand.turn(vec![unheard; 3]).is_empty());
    hand.heal();
    assert!(hand.turn(vec![unheard]).is_empty());
    assert_eq!(hand.place.names(), ["unheard"]);
    let lost = hand.place.records().iter().find_map(|record| match record.event() {
        Some(Event::Lost(lost)) => Some(lost.records),
        _ => None,
    });
    assert_eq!((lost, hand.shared.status.lock().unwrap().lost), (Some(3), 3));
    let place = Place::new();
    let log = place.builder().best_effort().open().unwrap();
    let told = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&told);
    log.submit(event("x"), move |outcome| tell.store(outcome.is_ok(), Ordering::Relaxed));
    assert!(told.load(Ordering::Relaxed), "before it is written");
    drop(log);
    assert_eq!(place.names(), ["x"]);
}

#[test]
fn only_the_oversized_event_is_refused() {
    let mut hand = Hand::new(Mode::Required);
    let large: fn(task::Done<()>) -> Task = |done| {
        let facts = (0..32).map(|number| (format!("{number}{}", "n".repeat(2000)), "v".repeat(2000)));
        Task::Record { event: Event::application("large", facts), owes: true, done: Some(done) }
    };
    let outcomes = hand.turn(vec![plain, large, plain]);
    assert!(matches!(outcomes[..], [Ok(()), Err(LogError::TooLarge), Ok(())]), "{outcomes:?}");
    assert_eq!((hand.writer.owed(), hand.place.names().len()), (0, 2));
}

#[test]
fn too_much_that_waits_is_refused_at_once() {
    let mailbox = Mailbox::default();
    let task = || Task::Record { event: event("x"), owes: false, done: None };
    for _ in 0..task::WAITING {
        assert!(mailbox.put(task()).is_none());
    }
    assert!(matches!(mailbox.put(task()), Some((_, LogError::Busy))));
    assert!(mailbox.put(Task::Forgive).is_none());
    assert_eq!(mailbox.take(None).len(), task::WAITING + 1);
    assert!(mailbox.put(task()).is_none());
    assert_eq!(mailbox.close().len(), 1);
    assert!(matches!(mailbox.put(task()), Some((_, LogError::Closed))));
}
