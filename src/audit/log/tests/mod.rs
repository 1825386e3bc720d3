//! A log on a real disk, and on one that fails.

mod batches;
mod disk;
mod faults;
mod opening;
mod torn;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::io::Errno;

pub(super) use self::faults::Faults;
use super::*;
use crate::audit::evidence::chain::Chain;
use crate::audit::evidence::segments::{self, full_segments};
use crate::audit::evidence::tree::CompactRange;
use crate::audit::reader::verifier::LogFault;
use crate::audit::{ChainFault, Checkpoint, Record};
use crate::event::LogContinued;

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
                Some(Event::Continued(LogContinued { tree, .. })) => {
                    Chain::at(CompactRange::restore(record.index(), tree).unwrap(), record.prev())
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
fn closed_log_is_durable_and_covered() {
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
fn concurrent_appends_share_one_sync() {
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
fn full_file_is_rotated_and_continued() {
    let place = Place::new();
    let log = place.builder().rotate_at(4096).open().unwrap();
    (0..60).for_each(|number| log.append(event(&number.to_string())).unwrap());
    drop(log);
    // A second writer goes on in the newest file.
    place.builder().rotate_at(4096).open().unwrap().append(event("60")).unwrap();
    let parts = full_segments(&place.log()).unwrap();
    assert!(parts.len() > 3, "{parts:?}");
    let mut chain = Chain::start();
    let mut names = Vec::new();
    for (first, path) in parts.iter().cloned().chain([(u64::MAX, place.log())]) {
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let record = Record::parse(line.as_bytes()).unwrap();
            assert!(number > 0 || first == u64::MAX || record.index() == first);
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
fn checkpoints_reach_their_file_and_hook() {
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
fn log_reports_undelivered_records() {
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

#[cfg(feature = "host")]
mod waiting {
    use std::sync::Arc;

    use super::*;
    use crate::event::{RecordError, Recorder, Reservation};

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn is_closed(error: &RecordError) -> bool {
        matches!(error.get_ref().downcast_ref(), Some(LogError::Closed))
    }

    #[test]
    fn intent_precedes_its_outcome() {
        let place = Place::new();
        let log = place.open();
        block_on(async {
            log.record(event("before")).await.unwrap();
            let recorder: Arc<dyn Recorder> = Arc::new(log.clone());
            let reserve = |name| Reservation::new(&recorder, event(name), None);
            let reservation = reserve("intent").await.unwrap();
            assert_eq!(place.names(), ["before", "intent"]);
            reservation.redeem(event("outcome")).await.unwrap();
            assert_eq!(place.names(), ["before", "intent", "outcome"]);
            reserve("intent").await.unwrap().redeem_later(event("later"));
            drop(reserve("given up").await.unwrap());
            let cancelled = reserve("cancelled");
            tokio::select! { biased; _ = cancelled => {}, () = std::future::ready(()) => {} }
            log.close().unwrap();
            assert!(is_closed(&reserve("late").await.unwrap_err()));
            assert!(is_closed(&log.record(event("late")).await.unwrap_err()));
        });
        let expected = ["before", "intent", "outcome", "intent", "later", "given up", "cancelled"];
        assert_eq!(place.names(), expected);
    }
}
