//! A log on a real disk, and on one that fails.

mod disk;
mod faults;
mod torn;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::io::Errno;

pub(super) use self::faults::Faults;
use super::*;
use crate::audit::chain::Chain;
use crate::audit::event::Continued;
use crate::audit::examine::Fault;
use crate::audit::tree::Frontier;
use crate::audit::{ChainFault, Checkpoint, Record};

/// A directory with a log in it, and the key of that log.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        LogKey::create(directory.path().join("key"), "example/log").unwrap();
        Self { directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    fn log(&self) -> PathBuf {
        self.file("log")
    }

    fn key(&self) -> LogKey {
        LogKey::read(self.file("key")).unwrap()
    }

    fn builder(&self) -> LogBuilder {
        Log::builder(self.log(), self.key())
    }

    fn open(&self) -> Log {
        self.builder().open().unwrap()
    }

    fn refusal(&self) -> LogOpenError {
        self.builder().open().unwrap_err()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.log()).unwrap()
    }

    /// The records of the current file, which follow each other and are vouched for rightly.
    fn records(&self) -> Vec<Record> {
        let mut chain: Option<Chain> = None;
        let mut records = Vec::new();
        for line in self.text().split_terminator('\n') {
            let record = Record::parse(line.as_bytes()).unwrap();
            let head = match record.event() {
                Some(Event::Continued(Continued { tree, .. })) => {
                    Chain::at(Frontier::restore(record.seq(), tree).unwrap(), record.prev())
                }
                _ => Chain::start(),
            };
            let chain = chain.get_or_insert(head);
            if let Some(Event::Checkpoint(signed)) = record.event() {
                let verifier = self.key().verifier().clone();
                let checkpoint = Checkpoint::open(&signed.note, &[verifier], "example/log").unwrap();
                assert_eq!((checkpoint.size, checkpoint.root), (chain.next(), chain.tree().root()));
            }
            chain.follow(&record).unwrap();
            records.push(record);
        }
        records
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.records().iter().map(|record| record.event().unwrap().kind()).collect()
    }

    /// The names of the application's events.
    fn names(&self) -> Vec<String> {
        self.records().iter().filter_map(name).collect()
    }
}

fn name(record: &Record) -> Option<String> {
    match record.event() {
        Some(Event::Application(application)) => Some(application.name),
        _ => None,
    }
}

fn event(name: &str) -> Event {
    Event::application(name, [("a", "b")])
}

/// A log that is written by this test's own hand: its disk can fail.
struct Hand {
    place: Place,
    writer: Writer,
    shared: Arc<Shared>,
}

impl Hand {
    fn new(mode: Mode) -> Self {
        let place = Place::new();
        let recovered = recover::recover(&place.log(), &place.key(), None).unwrap();
        let shared = Arc::new(Shared {
            path: place.log(),
            mode,
            key: place.key(),
            mailbox: Mailbox::default(),
            status: Mutex::default(),
            turned_away: AtomicU64::new(0),
        });
        let vouching = Vouching::new(1000, Duration::from_secs(600), None, None, 0);
        let mut writer =
            Writer::new(Arc::clone(&shared), recovered, u64::MAX, Sinks::new(Vec::new()).unwrap(), vouching);
        let opened = opened(&place.builder(), Vec::new());
        assert!(writer.turn(vec![Task::Record { event: opened, owes: false, done: None }]).is_none());
        Self { place, writer, shared }
    }

    fn fail(&self, change: impl FnOnce(&mut faults::Plan)) {
        change(&mut self.writer.faults().plan.lock().unwrap());
    }

    fn heal(&self) {
        self.fail(|plan| *plan = faults::Plan::default());
    }

    /// One batch: what is refusable, then what is not. Answers in this order.
    fn turn(&mut self, tasks: Vec<fn(task::Done<()>) -> Task>) -> Vec<Result<(), LogError>> {
        let (heard, told) = mpsc::channel();
        let tasks = tasks.into_iter().enumerate().map(|(number, task)| {
            let heard = heard.clone();
            task(Box::new(move |outcome| drop(heard.send((number, outcome)))))
        });
        assert!(self.writer.turn(tasks.collect()).is_none());
        let mut outcomes: Vec<_> = told.try_iter().collect();
        outcomes.sort_by_key(|(number, _)| *number);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

fn plain(done: task::Done<()>) -> Task {
    Task::Record { event: event("plain"), owes: false, done: Some(done) }
}

fn intent(done: task::Done<()>) -> Task {
    Task::Record { event: event("intent"), owes: true, done: Some(done) }
}

fn outcome(done: task::Done<()>) -> Task {
    Task::Fact { event: event("outcome"), pays: true, done: Some(done) }
}

#[test]
fn what_was_recorded_is_on_the_disk_and_the_end_is_vouched_for() {
    let place = Place::new();
    let log = place.open();
    assert_eq!((log.path(), log.mode(), log.verifier()), (&*place.log(), Mode::Required, place.key().verifier()));
    log.append(event("one")).unwrap();
    assert_eq!(place.names(), ["one"], "it is there before the log is closed");
    log.note(event("two"));
    log.close().unwrap();
    assert!(matches!(log.append(event("three")), Err(LogError::Closed)));
    assert!(matches!(log.close(), Err(LogError::Closed)));
    assert_eq!(place.kinds(), ["opened", "application", "application", "closed", "checkpoint"]);
    let status = log.status();
    assert_eq!((status.records, status.lost), (5, 0));
    assert_eq!(fs::metadata(place.log()).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn a_log_goes_on_where_it_ended() {
    let place = Place::new();
    for round in ["one", "two", "three"] {
        let log = place.open();
        log.append(event(round)).unwrap();
    }
    assert_eq!(place.names(), ["one", "two", "three"]);
    let Some(Event::Opened(opened)) = place.records()[0].event() else { panic!("no beginning") };
    assert_eq!((opened.format.as_str(), opened.mode.as_str(), opened.torn), (FORMAT, "required", Vec::new()));
    assert_eq!((opened.pid, opened.key), (std::process::id(), place.key().verifier().to_string()));
}

#[test]
fn many_threads_write_one_log_and_the_disk_is_waited_for_once_for_many() {
    const THREADS: usize = 32;
    const EACH: usize = 50;
    let place = Place::new();
    let log = place.open();
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, barrier) = (log.clone(), &barrier);
            scope.spawn(move || {
                barrier.wait();
                for number in 0..EACH {
                    log.append(event(&format!("{thread} {number}"))).unwrap();
                }
            });
        }
    });
    let names = place.names();
    for thread in 0..THREADS {
        let own: Vec<_> = names.iter().filter(|name| name.starts_with(&format!("{thread} "))).collect();
        let expected: Vec<_> = (0..EACH).map(|number| format!("{thread} {number}")).collect();
        assert_eq!(own, expected.iter().collect::<Vec<_>>(), "each once, and in the order in which it was brought");
    }
}

#[test]
fn what_waits_together_costs_the_disk_once() {
    let mut hand = Hand::new(Mode::Required);
    let before = hand.writer.faults().syncs.load(Ordering::Relaxed);
    let outcomes = hand.turn(vec![plain; 100]);
    assert!(outcomes.len() == 100 && outcomes.iter().all(Result::is_ok));
    assert_eq!(hand.writer.faults().syncs.load(Ordering::Relaxed) - before, 1);
}

#[test]
fn only_one_writer_at_a_time() {
    let place = Place::new();
    let log = place.open();
    assert!(matches!(place.refusal(), LogOpenError::Busy { .. }));
    drop(log);
    place.open().append(event("next")).unwrap();
}

#[test]
fn only_a_private_regular_file_is_a_log() {
    let place = Place::new();
    drop(place.open());
    for mode in [0o640, 0o604, 0o700, 0o610, 0o4600] {
        fs::set_permissions(place.log(), Permissions::from_mode(mode)).unwrap();
        assert!(matches!(place.refusal(), LogOpenError::Exposed { mode: found, .. } if found == mode), "{mode:o}");
    }
    fs::set_permissions(place.log(), Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(place.log(), place.file("other")).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::Exposed { links: 2, .. }));
    fs::remove_file(place.file("other")).unwrap();
    fs::rename(place.log(), place.file("other")).unwrap();
    symlink(place.file("other"), place.log()).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::NotRegular { kind: "a symbolic link", .. }));
    fs::remove_file(place.log()).unwrap();
    fs::create_dir(place.log()).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::NotRegular { kind: "a directory", .. }));
    fs::remove_dir(place.log()).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, place.log(), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::NotRegular { kind: "a FIFO", .. }));
    fs::remove_file(place.log()).unwrap();
    fs::rename(place.file("other"), place.log()).unwrap();
    match std::os::unix::fs::chown(place.log(), Some(12345), None) {
        Ok(()) => assert!(matches!(place.refusal(), LogOpenError::Exposed { owner: 12345, .. })),
        Err(error) => eprintln!("SKIPPED: only root can give a file away: {error}"),
    }
}

#[test]
fn a_log_lies_where_nobody_else_can_replace_it_and_where_no_plugins_lie() {
    let place = Place::new();
    let inside = |directory: &str| place.builder().outside(place.file(directory)).open();
    assert!(matches!(inside("."), Err(LogOpenError::AmongPlugins { .. })));
    assert!(matches!(inside(".."), Err(LogOpenError::AmongPlugins { .. })));
    symlink(place.file("."), place.file("link")).unwrap();
    assert!(matches!(inside("link"), Err(LogOpenError::AmongPlugins { .. })));
    assert!(!place.log().exists());
    fs::create_dir(place.file("plugins")).unwrap();
    let log = inside("plugins").unwrap();
    assert!(log.refuse_inside(&place.file("plugins")).is_ok());
    assert!(log.refuse_beside(&place.file("plugins")).is_ok() && log.refuse_beside(&place.file("..")).is_ok());
    assert!(matches!(log.refuse_beside(&place.file("link")), Err(LogError::AmongPlugins { .. })));
    assert!(matches!(log.refuse_inside(&place.file(".")), Err(LogError::AmongPlugins { .. })));
    drop(log);
    fs::set_permissions(place.directory.path(), Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::OpenPlace { mode: 0o777, .. }));
}

#[test]
fn a_log_of_another_key_is_left_alone() {
    let place = Place::new();
    drop(place.open());
    let before = place.text();
    let other = LogKey::generate("example/log").unwrap();
    assert!(matches!(Log::builder(place.log(), other).open(), Err(LogOpenError::OtherKey { .. })));
    assert_eq!(place.text(), before);
}

#[test]
fn what_a_killed_writer_left_unfinished_is_put_aside_wherever_it_was_cut() {
    let place = Place::new();
    place.open().append(event("whole")).unwrap();
    let text = place.text();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let (whole, last) = (lines[..lines.len() - 1].concat(), lines[lines.len() - 1]);
    for cut in (1..last.len()).step_by(7).chain([last.len() - 1]) {
        fs::write(place.log(), format!("{whole}{}", &last[..cut])).unwrap();
        drop(place.open());
        let records = place.records();
        let torn = records.iter().rev().find_map(|record| match record.event() {
            Some(Event::Opened(opened)) => Some(opened.torn),
            _ => None,
        });
        let [torn] = &torn.unwrap()[..] else { panic!("there is one") };
        assert_eq!((torn.bytes, torn.sha256), (cut as u64, crate::verify::Digest::of(&last[..cut])));
        let aside = place.file(&torn.file);
        assert_eq!(fs::read_to_string(&aside).unwrap(), last[..cut]);
        assert_eq!(fs::metadata(&aside).unwrap().mode() & 0o7777, 0o600);
        fs::remove_file(aside).unwrap();
    }
    let zeros = "\0".repeat(3 * 64 * 1024);
    for tail in [&zeros, &format!("{{\"v\":1{zeros}")] {
        fs::write(place.log(), format!("{whole}{tail}")).unwrap();
        drop(place.open());
        assert_eq!(place.names(), ["whole"]);
    }
    // Killed before the first record was whole.
    fs::write(place.log(), &lines[0][..10]).unwrap();
    drop(place.open());
    assert_eq!(place.kinds(), ["opened", "closed", "checkpoint"]);
    fs::write(place.log(), "").unwrap();
    drop(place.open());
    assert_eq!(place.kinds(), ["opened", "closed", "checkpoint"]);
}

#[test]
fn what_was_changed_is_not_written_to_and_the_line_is_named() {
    let place = Place::new();
    let log = place.open();
    (0..3).for_each(|number| log.append(event(&number.to_string())).unwrap());
    drop(log);
    let text = place.text();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let damaged = |changed: String| {
        fs::write(place.log(), &changed).unwrap();
        let LogOpenError::Damaged { line, fault, .. } = place.refusal() else { panic!("another refusal") };
        assert_eq!(place.text(), changed, "nothing is written");
        (line, fault)
    };
    for number in 1..lines.len() {
        let mut changed: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        changed[number] = changed[number].replacen("\"seq\":", "\"sec\":", 1);
        let fault = Fault::Record(crate::audit::RecordFault::Form);
        assert_eq!(damaged(changed.concat()), (number as u64 + 1, fault));
        if number + 1 < lines.len() {
            let mut changed = lines.clone();
            changed.remove(number);
            let number = number as u64;
            let fault = ChainFault::Sequence { expected: number, found: number + 1 };
            assert_eq!(damaged(changed.concat()), (number + 1, Fault::Chain(fault)));
        }
    }
    assert_eq!(damaged(lines[1..].concat()), (1, Fault::Head));
    assert_eq!(damaged(format!("{}garbage\n", lines[0])).0, 2);
    let long = "x".repeat(100_000);
    assert_eq!(damaged(format!("{}{long}\n", lines[0])).1, Fault::Record(crate::audit::RecordFault::TooLong));
    assert_eq!(damaged(format!("{}\0\0\n{}", lines[0], lines[1])).0, 2);
}

#[test]
fn a_full_file_is_put_beside_and_the_next_goes_on() {
    let place = Place::new();
    let log = place.builder().rotate_at(4096).open().unwrap();
    (0..60).for_each(|number| log.append(event(&number.to_string())).unwrap());
    drop(log);
    // A second writer goes on in the newest file.
    place.builder().rotate_at(4096).open().unwrap().append(event("60")).unwrap();
    let parts = rotated(&place.log()).unwrap();
    assert!(parts.len() > 3, "{parts:?}");
    let mut chain = Chain::start();
    let mut names = Vec::new();
    for (first, path) in parts.iter().cloned().chain([(u64::MAX, place.log())]) {
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let record = Record::parse(line.as_bytes()).unwrap();
            assert!(number > 0 || first == u64::MAX || record.seq() == first);
            if let (0, Some(Event::Continued(continued))) = (number, record.event()) {
                assert_eq!(continued.tree, chain.tree().hashes());
            }
            chain.follow(&record).unwrap();
            names.extend(name(&record));
        }
    }
    assert_eq!(names, (0..=60).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(!place.file("log.next").exists());
}

#[test]
fn a_rotation_that_a_kill_cut_short_is_taken_back() {
    let place = Place::new();
    place.open().append(event("one")).unwrap();
    // The full file has both names, and the next one is there.
    fs::hard_link(place.log(), parts::full(&place.log(), 0)).unwrap();
    fs::copy(place.log(), place.file("log.next")).unwrap();
    place.open().append(event("two")).unwrap();
    assert_eq!(place.names(), ["one", "two"]);
    assert!(!place.file("log.next").exists() && rotated(&place.log()).unwrap().is_empty());
}

#[test]
fn a_log_whose_current_file_is_gone_is_not_begun_anew() {
    let place = Place::new();
    drop(place.open());
    fs::rename(place.log(), parts::full(&place.log(), 0)).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::Missing { .. }));
    assert!(!place.log().exists());
    fs::write(place.log(), "").unwrap();
    fs::set_permissions(place.log(), Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(place.refusal(), LogOpenError::Damaged { fault: Fault::Head, .. }));
}

#[test]
fn checkpoints_go_to_their_file_and_to_whoever_asked() {
    let place = Place::new();
    let (heard, told) = mpsc::channel();
    let builder = place.builder().checkpoint_every(10, Duration::from_secs(600));
    let hook = move |note: &str| drop(heard.send(note.to_owned()));
    let log = builder.checkpoint_file(place.file("checkpoint")).on_checkpoint(hook).open().unwrap();
    (0..25).for_each(|number| log.append(event(&number.to_string())).unwrap());
    let asked = log.checkpoint().unwrap();
    assert_eq!(log.checkpoint().unwrap(), asked, "nothing was recorded since");
    let notes: Vec<_> = told.try_iter().collect();
    assert_eq!(notes.len(), 3);
    assert_eq!(fs::read_to_string(place.file("checkpoint")).unwrap(), notes[2]);
    assert_eq!(log.status().checkpoint.as_ref(), Some(&notes[2]));
    let verifier = [log.verifier().clone()];
    assert_eq!(Checkpoint::open(&notes[2], &verifier, "example/log").unwrap(), asked);
    assert_eq!(place.kinds().iter().filter(|kind| **kind == "checkpoint").count(), 3);
}

#[test]
fn what_does_not_arrive_is_told_by_the_log() {
    let place = Place::new();
    let builder = place.builder().checkpoint_file(place.file("missing/checkpoint"));
    let log = builder.on_checkpoint(|_| panic!("a hook that panics")).open().unwrap();
    assert!(log.checkpoint().is_ok(), "the log itself is fine");
    log.append(event("next")).unwrap();
    let told = place.records().iter().find_map(|record| match record.event() {
        Some(Event::Undelivered(undelivered)) => Some(undelivered),
        _ => None,
    });
    let told = told.unwrap();
    assert_eq!((told.to.as_str(), told.count), ("checkpoint file", 1));
    assert_eq!(log.status().undelivered, 1);
}

#[test]
fn a_disk_that_fails_refuses_what_is_new_takes_all_of_it_back_and_recovers() {
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
fn what_has_happened_is_recorded_when_the_disk_is_well_again() {
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
fn a_full_disk_refuses_what_would_begin_and_has_room_for_how_it_ended() {
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
fn a_file_system_that_reserves_no_room_is_written_to_and_says_so() {
    let mut hand = Hand::new(Mode::Required);
    assert!(hand.shared.status.lock().unwrap().reserves);
    hand.fail(|plan| plan.reserve = Some(Errno::OPNOTSUPP));
    hand.writer.forget_room();
    assert!(hand.turn(vec![intent])[0].is_ok());
    assert!(!hand.shared.status.lock().unwrap().reserves);
}

#[test]
fn in_best_effort_nobody_waits_and_what_is_lost_is_counted() {
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
fn an_event_that_is_too_large_is_refused_and_the_others_are_not() {
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

#[cfg(feature = "host")]
mod waiting {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn an_intent_and_its_outcome_are_recorded_in_their_order() {
        let place = Place::new();
        let log = place.open();
        block_on(async {
            log.record(event("before")).await.unwrap();
            let owed = log.intend(event("intent")).await.unwrap();
            assert_eq!(place.names(), ["before", "intent"]);
            owed.settle(event("outcome")).await.unwrap();
            assert_eq!(place.names(), ["before", "intent", "outcome"]);
            log.intend(event("intent")).await.unwrap().settle_later(event("later"));
            drop(log.intend(event("given up")).await.unwrap());
            let cancelled = log.intend(event("cancelled"));
            tokio::select! { biased; _ = cancelled => {}, () = std::future::ready(()) => {} }
            log.close().unwrap();
            assert!(matches!(log.intend(event("late")).await, Err(LogError::Closed)));
            assert!(matches!(log.record(event("late")).await, Err(LogError::Closed)));
        });
        let expected = ["before", "intent", "outcome", "intent", "later", "given up", "cancelled"];
        assert_eq!(place.names(), expected);
    }
}
