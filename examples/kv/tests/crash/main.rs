//! Kills a serving host, its plugin or both, again and again, while clients write. After each kill,
//! the data, the audit log and the responses that the clients got must agree.
//! `PORTCULLIS_CRASH_ROUNDS` sets the number of rounds, `PORTCULLIS_CRASH_SEED` repeats the choices
//! of an earlier run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod clients;
mod data;
mod log_check;
mod log_reader;
mod random;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime};

use kv::store_proto::ListRequest;
use portcullis::Digest;
use portcullis::audit::LogKey;
use portcullis::audit::verifier::{TrustAnchors, verify};
use rustix::process::Signal;

use crate::clients::{Attempt, Clients, Response, get_all};
use crate::data::{Data, History};
use crate::log_check::LogCheck;
use crate::log_reader::{LogReader, Section, Tail};
use crate::random::Random;
use crate::support::library::within_limit;
use crate::support::serving::{Serving, client, send};
use crate::support::{Place, run};

/// The default number of rounds, and the time after which none begins.
const ROUNDS: u64 = 25;
const TIME: Duration = Duration::from_secs(60);

/// The number of checkpoints that are kept, as an independent observer would keep them.
const KEPT_CHECKPOINTS: usize = 16;

#[test]
fn clients_data_and_log_agree_after_kills() {
    let seed = variable("PORTCULLIS_CRASH_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        since.as_nanos() as u64
    });
    print_line(&format!("crash: seed {seed}"));
    let (wanted, started) = (variable("PORTCULLIS_CRASH_ROUNDS"), Instant::now());
    let mut test = CrashTest::new(seed);
    for round in 0..wanted.unwrap_or(ROUNDS) {
        if wanted.is_none() && started.elapsed() > TIME {
            break;
        }
        test.round(round);
    }
    test.finish();
    print_line(&format!("crash: {}, {:.1} s, seed {seed}", test.sum, started.elapsed().as_secs_f64()));
    assert!(test.differences.is_empty(), "seed {seed}: {:#?}", test.differences);
    // Most calls must have a response, or the checks had nothing to compare.
    assert!(test.sum.acknowledged > test.sum.rounds, "{}", test.sum);
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(u64::from_str(&value).unwrap_or_else(|error| panic!("{name}={value}: {error}")))
}

/// Prints a line. `eprintln` would be captured by the test runner if the test passes.
fn print_line(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Totals of all rounds.
#[derive(Debug, Default)]
struct Sum {
    rounds: u64,
    /// The rounds that ended before the host served.
    early: u64,
    calls: u64,
    acknowledged: u64,
    refused: u64,
    unknown: u64,
    records: u64,
    /// Tails torn by a kill, and by the test.
    torn: u64,
    made_torn: u64,
    /// Torn tails that a writer reported.
    reported: u64,
    differences: usize,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rounds,
            early,
            calls,
            acknowledged,
            refused,
            unknown,
            records,
            torn,
            made_torn,
            reported,
            differences,
        } = self;
        write!(
            f,
            "{rounds} rounds ({early} ended before the host served), {calls} calls: {acknowledged} acknowledged, "
        )?;
        write!(
            f,
            "{refused} refused, {unknown} unknown; {records} records, {torn} tails torn by a kill and {made_torn} "
        )?;
        write!(f, "by the test, {reported} reported; {differences} differences")
    }
}

/// The process to kill.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Host,
    Plugin,
    Both,
}

/// A store and its log across all rounds.
struct CrashTest {
    place: Place,
    random: Random,
    history: History,
    data: Data,
    reader: LogReader,
    key: Option<LogKey>,
    /// The torn tails that the next writer must report.
    tails: Vec<Tail>,
    checkpoints: Vec<String>,
    differences: Vec<String>,
    sum: Sum,
}

impl CrashTest {
    fn new(seed: u64) -> Self {
        let place = Place::new();
        let reader = LogReader::of(&log(&place));
        Self {
            place,
            random: Random::new(seed),
            history: History::default(),
            data: Data::default(),
            reader,
            key: None,
            tails: Vec::new(),
            checkpoints: Vec::new(),
            differences: Vec::new(),
            sum: Sum::default(),
        }
    }

    /// Starts the host, lets clients work, kills, and checks that everything agrees.
    fn round(&mut self, round: u64) {
        let attempts = if self.random.once_in(8) { self.end_early() } else { self.work(round) };
        self.place.assert_no_process_is_left();
        self.check(round, attempts, Instant::now());
        self.sum.rounds += 1;
        if self.random.once_in(4) {
            self.tear();
        }
    }

    /// Kills a host while it starts.
    fn end_early(&mut self) -> Vec<Attempt> {
        let serving = Serving::spawn(&self.place);
        std::thread::sleep(Duration::from_millis(self.random.below(250)));
        serving.signal(Signal::KILL);
        serving.ended();
        self.sum.early += 1;
        Vec::new()
    }

    fn work(&mut self, round: u64) -> Vec<Attempt> {
        let serving = Serving::start(&self.place);
        let plugin = serving.plugin();
        let victim = [Victim::Host, Victim::Plugin, Victim::Both][self.random.below(3) as usize];
        let time = Duration::from_millis(self.random.below(300));
        // While the log is moved away, nothing can be recorded.
        let hidden = self.random.once_in(6).then(|| Duration::from_millis(self.random.below(40)));
        let attempts = within_limit(async {
            self.check_listing(&serving).await;
            let clients = Clients::start(serving.socket(), &format!("{round}"), &mut self.random).await;
            tokio::time::sleep(time).await;
            if let Some(time) = hidden {
                fs::rename(log(&self.place), away(&self.place)).unwrap();
                tokio::time::sleep(time).await;
            }
            // The second process may already be gone: each ends when the other does.
            match victim {
                Victim::Host => serving.signal(Signal::KILL),
                Victim::Plugin => send(plugin, Signal::KILL),
                Victim::Both => {
                    send(plugin, Signal::KILL);
                    serving.signal(Signal::KILL);
                }
            }
            clients.finish().await
        });
        serving.ended();
        if hidden.is_some() {
            fs::rename(away(&self.place), log(&self.place)).unwrap();
        }
        attempts
    }

    /// Checks that the plugin serves exactly the data that the last round left.
    async fn check_listing(&mut self, serving: &Serving) {
        let mut entries = client(serving.socket()).await.list(ListRequest::default()).await.unwrap().into_inner();
        let mut listed = BTreeMap::new();
        while let Some(entry) = entries.message().await.unwrap() {
            listed.insert(entry.key, entry.version);
        }
        let left = self.data.values.iter().map(|(key, value)| (key.clone(), value.version)).collect();
        if listed != left {
            self.differences.push(format!("the plugin lists {listed:?}, expected {left:?}"));
        }
    }

    fn check(&mut self, round: u64, mut attempts: Vec<Attempt>, dead: Instant) {
        let data = data::read(&self.place.data(), &self.place.path().join("copy"));
        let section = self.reader.read_new();
        let mut differences = section.faults.clone();
        differences.extend(self.check_tails(&section));
        self.count(&attempts, &section);
        self.keep_checkpoint();
        if self.key.is_none() && !attempts.is_empty() {
            self.key = Some(LogKey::read(beside(&self.place, ".key")).unwrap());
        }
        if let Some(key) = &self.key {
            let changes = self.data.changes + 1..=data.changes;
            let mut log_check = LogCheck::new(key, section.calls, changes);
            log_check.check(&mut attempts, dead);
            differences.extend(self.history.add(&attempts));
            differences.extend(self.history.check(&data, |attempt| log_check.require_intent(attempt)));
            differences.extend(log_check.differences);
        }
        self.data = data;
        self.differences.extend(differences.into_iter().map(|difference| format!("round {round}: {difference}")));
    }

    /// Checks that the next writer reports exactly the torn tails of its predecessors.
    fn check_tails(&mut self, section: &Section) -> Option<String> {
        let mut expected = std::mem::take(&mut self.tails);
        let reported = match &section.openings[..] {
            // The host was killed before its first record. It may have quarantined a tail.
            [] => return self.left(expected, section),
            [reported] => reported,
            _ => return Some(format!("one host opened the log more than once: {:?}", section.openings)),
        };
        self.sum.reported += reported.len() as u64;
        // A writer that is killed between quarantining a tail and truncating the log leaves the
        // tail to the next writer, which quarantines it again.
        let mut reported: Vec<_> =
            reported.iter().map(|torn| Tail { bytes: torn.bytes, sha256: torn.sha256 }).collect();
        [&mut reported, &mut expected].into_iter().for_each(|tails| tails.sort_by_key(|tail| tail.sha256.to_string()));
        reported.dedup();
        let differs = reported != expected;
        self.left(Vec::new(), section);
        differs.then(|| format!("the log ended in {expected:?}, but its next writer reported {reported:?}"))
    }

    /// Remembers the torn tails that the next writer must report.
    fn left(&mut self, mut tails: Vec<Tail>, section: &Section) -> Option<String> {
        if let Some(tail) = section.unfinished.clone().filter(|tail| !tails.contains(tail)) {
            tails.push(tail);
            self.sum.torn += 1;
        }
        self.tails = tails;
        None
    }

    fn count(&mut self, attempts: &[Attempt], section: &Section) {
        let sum = &mut self.sum;
        sum.calls += attempts.len() as u64;
        for attempt in attempts {
            match attempt.response {
                Response::Unknown => sum.unknown += 1,
                Response::Aborted | Response::Unrecordable => sum.refused += 1,
                _ => sum.acknowledged += 1,
            }
        }
        sum.records += section.records;
    }

    /// Keeps checkpoints as an independent observer would.
    fn keep_checkpoint(&mut self) {
        let Ok(note) = fs::read_to_string(beside(&self.place, ".checkpoint")) else { return };
        if self.checkpoints.last() != Some(&note) {
            self.checkpoints.push(note);
        }
        if self.checkpoints.len() > KEPT_CHECKPOINTS {
            let one = self.random.below(KEPT_CHECKPOINTS as u64) as usize;
            self.checkpoints.remove(one);
        }
    }

    /// Appends an incomplete line, as a writer killed within write(2) leaves it.
    fn tear(&mut self) {
        let Ok(bytes) = fs::read(log(&self.place)) else { return };
        // Only a log that ends in a complete line gets a torn one.
        let Some(start) = bytes.iter().rposition(|byte| *byte == b'\n').filter(|end| end + 1 == bytes.len()) else {
            return;
        };
        let start = bytes[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let line = &bytes[start..bytes.len() - 1];
        let torn = &line[..1 + self.random.below(line.len() as u64) as usize];
        OpenOptions::new().append(true).open(log(&self.place)).unwrap().write_all(torn).unwrap();
        self.tails.push(Tail { bytes: torn.len() as u64, sha256: Digest::of(torn) });
        self.sum.made_torn += 1;
    }

    /// Stops the host cleanly, and verifies everything from the beginning.
    fn finish(&mut self) {
        let serving = Serving::start(&self.place);
        let attempts = within_limit(async {
            self.check_listing(&serving).await;
            get_all(serving.socket()).await
        });
        let found = attempts.iter().filter(|attempt| matches!(attempt.response, Response::Found(..))).count();
        assert_eq!(found, self.data.values.len());
        serving.signal(Signal::TERM);
        let (status, said) = serving.ended();
        assert_eq!(status, Some(0), "{said}");
        self.check(self.sum.rounds, attempts, Instant::now());
        self.verify();
        let mut verify = std::process::Command::new(env!("CARGO_BIN_EXE_kv-host"));
        verify.arg("--data").arg(self.place.data()).args(["audit", "verify"]);
        drop(run(&mut verify).exits_with(0));
        self.sum.differences = self.differences.len();
    }

    /// Verifies the whole log against every kept checkpoint.
    fn verify(&mut self) {
        let key = LogKey::read(beside(&self.place, ".key")).unwrap();
        let mut trust = TrustAnchors::none().key(key.verifier().clone());
        for (number, note) in self.checkpoints.iter().enumerate() {
            trust = trust.checkpoint(number.to_string(), note);
        }
        let examination = verify(log(&self.place), &trust).unwrap();
        if !examination.is_intact() {
            let (damaged, witnesses) = (&examination.damaged, &examination.trusted_checkpoints);
            self.differences.push(format!("the log is not intact: {damaged:?}, {witnesses:?}"));
        }
        let (account, sum) = (&examination.totals, &self.sum);
        if (account.torn, account.lost, examination.next) != (sum.reported, 0, sum.records) {
            self.differences.push(format!("the totals of the log differ: {account:?}"));
        }
    }
}

fn log(place: &Place) -> PathBuf {
    place.path().join("data-audit/log")
}

/// The path to which the log is moved.
fn away(place: &Place) -> PathBuf {
    place.path().join("data-audit/away")
}

fn beside(place: &Place, suffix: &str) -> PathBuf {
    let mut name = log(place).into_os_string();
    name.push(suffix);
    Path::new(&name).to_path_buf()
}
