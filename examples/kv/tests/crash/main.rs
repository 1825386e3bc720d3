//! A host that keeps an audit log is killed again and again while clients write through it.
//! Afterwards the data, the log and what the clients were told must say the same:
//! `PORTCULLIS_CRASH_ROUNDS` says how often, `PORTCULLIS_CRASH_SEED` repeats the choices of another
//! run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod clients;
mod data;
mod evidence;
mod random;
#[path = "../support/mod.rs"]
mod support;
mod trail;

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
use portcullis::audit::verifier::{Trust, examine};
use rustix::process::Signal;

use crate::clients::{Attempt, Clients, Told, get_all};
use crate::data::{Data, History};
use crate::evidence::Evidence;
use crate::random::Random;
use crate::support::library::within_limit;
use crate::support::serving::{Serving, client, send};
use crate::support::{Place, run};
use crate::trail::{Section, Tail, Trail};

/// Without a wish for more: so many rounds, and none begins after this time.
const ROUNDS: u64 = 25;
const TIME: Duration = Duration::from_secs(60);

/// How many checkpoints are kept, as somebody elsewhere would.
const WITNESSES: usize = 16;

#[test]
fn clients_data_and_log_agree_after_kills() {
    let seed = wish("PORTCULLIS_CRASH_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        since.as_nanos() as u64
    });
    say(&format!("crash: seed {seed}"));
    let (wished, started) = (wish("PORTCULLIS_CRASH_ROUNDS"), Instant::now());
    let mut trial = Trial::new(seed);
    for round in 0..wished.unwrap_or(ROUNDS) {
        if wished.is_none() && started.elapsed() > TIME {
            break;
        }
        trial.round(round);
    }
    trial.finish();
    say(&format!("crash: {}, {:.1} s, seed {seed}", trial.sum, started.elapsed().as_secs_f64()));
    assert!(trial.differences.is_empty(), "seed {seed}: {:#?}", trial.differences);
    // Whatever was killed, most calls were answered: otherwise nothing was held against anything.
    assert!(trial.sum.acknowledged > trial.sum.rounds, "{}", trial.sum);
}

fn wish(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(u64::from_str(&value).unwrap_or_else(|error| panic!("{name}={value}: {error}")))
}

/// Not `eprintln`, which the test runner keeps to itself when a test passes.
fn say(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// How the rounds went.
#[derive(Debug, Default)]
struct Sum {
    rounds: u64,
    /// How many of them ended before the host served.
    early: u64,
    calls: u64,
    acknowledged: u64,
    refused: u64,
    unknown: u64,
    records: u64,
    /// How many tails were torn by a kill, and how many by the test.
    torn: u64,
    made_torn: u64,
    /// How many were told of.
    told: u64,
    differences: usize,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, early, calls, acknowledged, refused, unknown, records, torn, made_torn, told, differences } =
            self;
        write!(
            f,
            "{rounds} rounds ({early} ended before the host served), {calls} calls: {acknowledged} acknowledged, "
        )?;
        write!(
            f,
            "{refused} refused, {unknown} unknown; {records} records, {torn} tails torn by a kill and {made_torn} "
        )?;
        write!(f, "by the test, {told} told of; {differences} differences")
    }
}

/// Who is killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Host,
    Plugin,
    Both,
}

/// A store and its log over all rounds.
struct Trial {
    place: Place,
    random: Random,
    history: History,
    data: Data,
    trail: Trail,
    key: Option<LogKey>,
    /// What the next writer has to tell of.
    tails: Vec<Tail>,
    checkpoints: Vec<String>,
    differences: Vec<String>,
    sum: Sum,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let place = Place::new();
        let trail = Trail::of(&log(&place));
        Self {
            place,
            random: Random::new(seed),
            history: History::default(),
            data: Data::default(),
            trail,
            key: None,
            tails: Vec::new(),
            checkpoints: Vec::new(),
            differences: Vec::new(),
            sum: Sum::default(),
        }
    }

    /// Starts the host, lets clients work, kills, and holds everything against everything.
    fn round(&mut self, round: u64) {
        let attempts = if self.random.once_in(8) { self.end_early() } else { self.work(round) };
        self.place.assert_no_process_is_left();
        self.hold(round, attempts, Instant::now());
        self.sum.rounds += 1;
        if self.random.once_in(4) {
            self.tear();
        }
    }

    /// A host that is killed while it starts.
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
        // Nothing can be recorded where nobody would find it.
        let hidden = self.random.once_in(6).then(|| Duration::from_millis(self.random.below(40)));
        let attempts = within_limit(async {
            self.hold_listing(&serving).await;
            let clients = Clients::start(serving.socket(), &format!("{round}"), &mut self.random).await;
            tokio::time::sleep(time).await;
            if let Some(time) = hidden {
                fs::rename(log(&self.place), away(&self.place)).unwrap();
                tokio::time::sleep(time).await;
            }
            // Whoever is last may be gone by then, because it noticed.
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

    /// The plugin has what was left behind.
    async fn hold_listing(&mut self, serving: &Serving) {
        let mut entries = client(serving.socket()).await.list(ListRequest::default()).await.unwrap().into_inner();
        let mut listed = BTreeMap::new();
        while let Some(entry) = entries.message().await.unwrap() {
            listed.insert(entry.key, entry.version);
        }
        let left = self.data.values.iter().map(|(key, value)| (key.clone(), value.version)).collect();
        if listed != left {
            self.differences.push(format!("the plugin has {listed:?}, where {left:?} was left behind"));
        }
    }

    fn hold(&mut self, round: u64, mut attempts: Vec<Attempt>, dead: Instant) {
        let data = data::read(&self.place.data(), &self.place.path().join("copy"));
        let section = self.trail.read_on();
        let mut differences = section.faults.clone();
        differences.extend(self.hold_tails(&section));
        self.count(&attempts, &section);
        self.keep_checkpoint();
        if self.key.is_none() && !attempts.is_empty() {
            self.key = Some(LogKey::read(beside(&self.place, ".key")).unwrap());
        }
        if let Some(key) = &self.key {
            let changes = self.data.changes + 1..=data.changes;
            let mut evidence = Evidence::new(key, section.calls, changes);
            evidence.hold(&mut attempts, dead);
            differences.extend(self.history.add(&attempts));
            differences.extend(self.history.hold(&data, |attempt| evidence.must_be_intended(attempt)));
            differences.extend(evidence.differences);
        }
        self.data = data;
        self.differences.extend(differences.into_iter().map(|difference| format!("round {round}: {difference}")));
    }

    /// What was left unfinished is told of by the next writer that writes anything, and nothing
    /// else is.
    fn hold_tails(&mut self, section: &Section) -> Option<String> {
        let mut expected = std::mem::take(&mut self.tails);
        let told = match &section.openings[..] {
            // The host was killed before it wrote. It may have put something aside.
            [] => return self.left(expected, section),
            [told] => told,
            _ => return Some(format!("one host, and {:?}", section.openings)),
        };
        self.sum.told += told.len() as u64;
        // What was put aside by a writer that was killed before it had cut the log is put aside
        // once more.
        let mut told: Vec<_> = told.iter().map(|torn| Tail { bytes: torn.bytes, sha256: torn.sha256 }).collect();
        [&mut told, &mut expected].into_iter().for_each(|tails| tails.sort_by_key(|tail| tail.sha256.to_string()));
        told.dedup();
        let differs = told != expected;
        self.left(Vec::new(), section);
        differs.then(|| format!("the log ended in {expected:?}, and its next writer told of {told:?}"))
    }

    /// What the next writer has to tell of.
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
            match attempt.told {
                Told::Nothing => sum.unknown += 1,
                Told::Aborted | Told::NotMade => sum.refused += 1,
                _ => sum.acknowledged += 1,
            }
        }
        sum.records += section.records;
    }

    /// As somebody elsewhere would keep them.
    fn keep_checkpoint(&mut self) {
        let Ok(note) = fs::read_to_string(beside(&self.place, ".checkpoint")) else { return };
        if self.checkpoints.last() != Some(&note) {
            self.checkpoints.push(note);
        }
        if self.checkpoints.len() > WITNESSES {
            let one = self.random.below(WITNESSES as u64) as usize;
            self.checkpoints.remove(one);
        }
    }

    /// What a writer leaves that was killed in the middle of a line.
    fn tear(&mut self) {
        let Ok(bytes) = fs::read(log(&self.place)) else { return };
        // Behind another tail nothing is written.
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

    /// Ends in order, and examines everything from the beginning.
    fn finish(&mut self) {
        let serving = Serving::start(&self.place);
        let attempts = within_limit(async {
            self.hold_listing(&serving).await;
            get_all(serving.socket()).await
        });
        let found = attempts.iter().filter(|attempt| matches!(attempt.told, Told::Found(..))).count();
        assert_eq!(found, self.data.values.len());
        serving.signal(Signal::TERM);
        let (status, said) = serving.ended();
        assert_eq!(status, Some(0), "{said}");
        self.hold(self.sum.rounds, attempts, Instant::now());
        self.examine();
        let mut verify = std::process::Command::new(env!("CARGO_BIN_EXE_kv-host"));
        verify.arg("--data").arg(self.place.data()).args(["audit", "verify"]);
        drop(run(&mut verify).exits_with(0));
        self.sum.differences = self.differences.len();
    }

    /// The log is what its writers wrote, with every checkpoint that was kept.
    fn examine(&mut self) {
        let key = LogKey::read(beside(&self.place, ".key")).unwrap();
        let mut trust = Trust::nothing().key(key.verifier().clone());
        for (number, note) in self.checkpoints.iter().enumerate() {
            trust = trust.checkpoint(number.to_string(), note);
        }
        let examination = examine(log(&self.place), &trust).unwrap();
        if !examination.is_intact() {
            let (damaged, witnesses) = (&examination.damaged, &examination.witnesses);
            self.differences.push(format!("the log is not intact: {damaged:?}, {witnesses:?}"));
        }
        let (account, sum) = (&examination.account, &self.sum);
        if (account.torn, account.lost, examination.next) != (sum.told, 0, sum.records) {
            self.differences.push(format!("the log adds up to {account:?}"));
        }
    }
}

fn log(place: &Place) -> PathBuf {
    place.path().join("data-audit/log")
}

/// Where a log is hidden.
fn away(place: &Place) -> PathBuf {
    place.path().join("data-audit/away")
}

fn beside(place: &Place, suffix: &str) -> PathBuf {
    let mut name = log(place).into_os_string();
    name.push(suffix);
    Path::new(&name).to_path_buf()
}
