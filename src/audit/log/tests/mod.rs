//! Tests of a log on a real disk and on a failing one.

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
use crate::limits::audit::{MANDATORY_BYTES, MANDATORY_ENTRIES, QUEUED_BYTES, QUEUED_TASKS, RESERVATION_BYTES};
use crate::timing::audit::RETRY_AFTER;

/// A directory with a log and its key.
struct Fixture {
    directory: tempfile::TempDir,
}

impl Fixture {
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

    /// The records of the current file. Asserts that they form a chain with correct checkpoints.
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

/// A log whose writer runs on the test's thread, on a disk that can fail.
struct ManualWriter {
    fixture: Fixture,
    writer: Writer,
    shared: Arc<Shared>,
}

impl ManualWriter {
    fn new(mode: Mode) -> Self {
        let fixture = Fixture::new();
        let recovered = recover::recover(&fixture.log(), &fixture.key(), None).unwrap();
        let shared = Arc::new(Shared {
            path: fixture.log(),
            mode,
            key: fixture.key(),
            mailbox: Mailbox::default(),
            status: Mutex::default(),
            rejected: AtomicU64::new(0),
        });
        let schedule = CheckpointSchedule::new(1000, Duration::from_secs(600), None, None, 0);
        let mut writer =
            Writer::new(Arc::clone(&shared), recovered, u64::MAX, Sinks::new(Vec::new()).unwrap(), schedule);
        let opened = opened(&fixture.builder(), Vec::new());
        assert!(writer.process(vec![Task::Record { event: opened, reserves: false, done: None }]).is_none());
        Self { fixture, writer, shared }
    }

    fn fail(&self, change: impl FnOnce(&mut faults::Plan)) {
        change(&mut self.writer.faults().plan.lock().unwrap());
    }

    fn heal(&self) {
        self.fail(|plan| *plan = faults::Plan::default());
    }

    /// Runs one round and returns the answers in the order of the tasks.
    fn process(&mut self, tasks: Vec<fn(task::Done<()>) -> Task>) -> Vec<Result<(), LogError>> {
        let (sender, receiver) = mpsc::channel();
        let tasks = tasks.into_iter().enumerate().map(|(number, task)| {
            let sender = sender.clone();
            task(Box::new(move |outcome| drop(sender.send((number, outcome)))))
        });
        assert!(self.writer.process(tasks.collect()).is_none());
        let mut outcomes: Vec<_> = receiver.try_iter().collect();
        outcomes.sort_by_key(|(number, _)| *number);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

fn plain(done: task::Done<()>) -> Task {
    Task::Record { event: event("plain"), reserves: false, done: Some(done) }
}

fn intent(done: task::Done<()>) -> Task {
    Task::Record { event: event("intent"), reserves: true, done: Some(done) }
}

fn outcome(done: task::Done<()>) -> Task {
    Task::Mandatory { event: event("outcome"), redeems: true, done: Some(done) }
}

#[test]
fn closed_log_is_durable_and_covered() {
    let fixture = Fixture::new();
    let log = fixture.open();
    assert_eq!((log.path(), log.mode(), log.verifier()), (&*fixture.log(), Mode::Required, fixture.key().verifier()));
    log.append(event("one")).unwrap();
    assert_eq!(fixture.names(), ["one"], "durable before the log is closed");
    log.note(event("two"));
    log.close().unwrap();
    assert!(matches!(log.append(event("three")), Err(LogError::Closed)));
    assert!(matches!(log.close(), Err(LogError::Closed)));
    assert_eq!(fixture.kinds(), ["opened", "application", "application", "closed", "checkpoint"]);
    let status = log.status();
    assert_eq!((status.records, status.lost), (5, 0));
    assert_eq!(fs::metadata(fixture.log()).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn reopened_log_continues() {
    let fixture = Fixture::new();
    for round in ["one", "two", "three"] {
        let log = fixture.open();
        log.append(event(round)).unwrap();
    }
    assert_eq!(fixture.names(), ["one", "two", "three"]);
    let Some(Event::Opened(opened)) = fixture.records()[0].event() else { panic!("no opened record") };
    assert_eq!((opened.format.as_str(), opened.mode.as_str(), opened.torn), (FORMAT, "required", Vec::new()));
    assert_eq!((opened.pid, opened.key), (std::process::id(), fixture.key().verifier().to_string()));
}

#[test]
fn concurrent_appends_share_one_sync() {
    const THREADS: usize = 32;
    const EACH: usize = 50;
    let fixture = Fixture::new();
    let log = fixture.open();
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
    let names = fixture.names();
    for thread in 0..THREADS {
        let own: Vec<_> = names.iter().filter(|name| name.starts_with(&format!("{thread} "))).collect();
        let expected: Vec<_> = (0..EACH).map(|number| format!("{thread} {number}")).collect();
        assert_eq!(own, expected.iter().collect::<Vec<_>>(), "each record once, in order");
    }
}

#[test]
fn full_file_is_rotated_and_continued() {
    let fixture = Fixture::new();
    let log = fixture.builder().rotate_at(4096).open().unwrap();
    (0..60).for_each(|number| log.append(event(&number.to_string())).unwrap());
    drop(log);
    // A second writer continues in the newest file.
    fixture.builder().rotate_at(4096).open().unwrap().append(event("60")).unwrap();
    let parts = full_segments(&fixture.log()).unwrap();
    assert!(parts.len() > 3, "{parts:?}");
    let mut chain = Chain::start();
    let mut names = Vec::new();
    for (first, path) in parts.iter().cloned().chain([(u64::MAX, fixture.log())]) {
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
    assert!(!fixture.file("log.next").exists());
}

#[test]
fn checkpoints_reach_their_file_and_hook() {
    let fixture = Fixture::new();
    let (sender, receiver) = mpsc::channel();
    let builder = fixture.builder().checkpoint_every(10, Duration::from_secs(600));
    let hook = move |note: &str| drop(sender.send(note.to_owned()));
    let log = builder.checkpoint_file(fixture.file("checkpoint")).on_checkpoint(hook).open().unwrap();
    (0..25).for_each(|number| log.append(event(&number.to_string())).unwrap());
    let asked = log.checkpoint().unwrap();
    assert_eq!(log.checkpoint().unwrap(), asked, "no record was added since");
    let notes: Vec<_> = receiver.try_iter().collect();
    assert_eq!(notes.len(), 3);
    assert_eq!(fs::read_to_string(fixture.file("checkpoint")).unwrap(), notes[2]);
    assert_eq!(log.status().checkpoint.as_ref(), Some(&notes[2]));
    let verifier = [log.verifier().clone()];
    assert_eq!(Checkpoint::open(&notes[2], &verifier, "example/log").unwrap(), asked);
    assert_eq!(fixture.kinds().iter().filter(|kind| **kind == "checkpoint").count(), 3);
}

#[test]
fn log_reports_undelivered_records() {
    let fixture = Fixture::new();
    let builder = fixture.builder().checkpoint_file(fixture.file("missing/checkpoint"));
    let log = builder.on_checkpoint(|_| panic!("a hook that panics")).open().unwrap();
    assert!(log.checkpoint().is_ok(), "the log has the checkpoint");
    log.append(event("next")).unwrap();
    let undelivered = fixture.records().iter().find_map(|record| match record.event() {
        Some(Event::Undelivered(undelivered)) => Some(undelivered),
        _ => None,
    });
    let undelivered = undelivered.unwrap();
    assert_eq!((undelivered.to.as_str(), undelivered.count), ("checkpoint file", 1));
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
        let fixture = Fixture::new();
        let log = fixture.open();
        block_on(async {
            log.record(event("before")).await.unwrap();
            let recorder: Arc<dyn Recorder> = Arc::new(log.clone());
            let reserve = |name| Reservation::new(&recorder, event(name), None);
            let reservation = reserve("intent").await.unwrap();
            assert_eq!(fixture.names(), ["before", "intent"]);
            reservation.redeem(event("outcome")).await.unwrap();
            assert_eq!(fixture.names(), ["before", "intent", "outcome"]);
            reserve("intent").await.unwrap().redeem_later(event("later"));
            drop(reserve("given up").await.unwrap());
            let cancelled = reserve("cancelled");
            tokio::select! { biased; _ = cancelled => {}, () = std::future::ready(()) => {} }
            log.close().unwrap();
            assert!(is_closed(&reserve("late").await.unwrap_err()));
            assert!(is_closed(&log.record(event("late")).await.unwrap_err()));
        });
        let expected = ["before", "intent", "outcome", "intent", "later", "given up", "cancelled"];
        assert_eq!(fixture.names(), expected);
    }
}
