//! The work that every pairing does, and the rows that it fills. A new capability adds its work
//! here.

use super::row::{Row, Unit};

/// How much work a run does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Depth {
    pub(super) rounds: usize,
    /// Divides the number of repetitions.
    pub(super) divisor: usize,
}

impl Depth {
    pub(super) fn new(quick: bool) -> Self {
        if quick { Self { rounds: 1, divisor: 10 } } else { Self { rounds: 5, divisor: 1 } }
    }

    pub(super) fn of(self, full: usize) -> usize {
        (full / self.divisor).max(1)
    }
}

/// When a launch hashes the plugin: values of `--check`.
const NONE: &str = "none";
const FIRST: &str = "first";
const CACHED: &str = "cached";

/// One run of a host.
#[derive(Debug, Clone)]
pub(super) struct Work {
    /// The name, for `--only`.
    pub(super) name: String,
    /// The arguments of the host besides the plugin.
    pub(super) arguments: Vec<String>,
    pub(super) plaintext: bool,
    /// Uses the large plugin.
    pub(super) large: bool,
    rows: Vec<Row>,
}

impl Work {
    fn new(name: impl Into<String>, work: &str, numbers: &[(&str, usize)]) -> Self {
        let numbers = numbers.iter().flat_map(|(name, number)| [format!("--{name}"), number.to_string()]);
        let arguments = numbers.chain([work.to_string()]).collect();
        Self { name: name.into(), arguments, plaintext: false, large: false, rows: Vec::new() }
    }

    fn checking(mut self, check: &str) -> Self {
        self.arguments.insert(0, check.into());
        self.arguments.insert(0, "--check".into());
        self
    }

    fn row(mut self, label: impl Into<String>, unit: Unit, metric: &'static str, scale: f64) -> Self {
        self.rows.push(Row::new(&self.name, label, unit, metric).scaled(scale));
        self
    }

    /// Adds a note to the rows so far.
    fn noting(mut self, note: &'static str) -> Self {
        self.rows = self.rows.into_iter().map(|row| row.with_note(note)).collect();
        self
    }

    /// Its rows, still empty.
    pub(super) fn rows(&self) -> Vec<Row> {
        self.rows.clone()
    }
}

pub(super) fn all(depth: &Depth) -> Vec<Work> {
    [launches(*depth), launches_of_large_hosts(*depth), calls(*depth), streams(*depth), lines(*depth), fleets(*depth)]
        .concat()
}

fn launches(depth: Depth) -> Vec<Work> {
    let mut works = Vec::new();
    for (at_once, repeats) in [(1, 20), (8, 3), (64, 1)] {
        let numbers = [("at-once", at_once), ("repeats", depth.of(repeats))];
        let work = |name: &str, what: &str| {
            let several = if at_once == 1 { String::new() } else { format!(", {at_once} at once") };
            let label = format!("launch to first call, {what}{several}");
            Work::new(format!("launch-{name}-{at_once}"), "launch", &numbers).row(
                label,
                Unit::Microseconds,
                "launch",
                1.0,
            )
        };
        let mtls = work("mtls", "AutoMTLS, file not hashed").checking(NONE);
        let mut mtls =
            mtls.noting("The Rust host launches nothing unverified: it uses an image that it verified before.");
        if at_once == 1 {
            mtls = mtls.row("shutdown", Unit::Microseconds, "shutdown", 1.0);
        }
        let first = work("sha256-first", "AutoMTLS, SHA-256 of 20 MiB, first").checking(FIRST);
        let cached = work("sha256-cached", "AutoMTLS, SHA-256 of 20 MiB, again").checking(CACHED);
        let cached = cached.noting("go-plugin caches nothing: it hashes the plugin at each launch.");
        works.push(Work { plaintext: true, ..work("plaintext", "plaintext, file not hashed").checking(NONE) });
        works.extend([mtls, Work { large: true, ..first }, Work { large: true, ..cached }]);
    }
    works
}

/// The cost of a launch must not depend on the size of the host.
fn launches_of_large_hosts(depth: Depth) -> Vec<Work> {
    let numbers = [("ballast", 1024), ("repeats", depth.of(20))];
    let label = "launch to first call, AutoMTLS, file not hashed, by a host that holds 1 GiB";
    let work = Work::new("launch-large-host", "launch", &numbers).checking(NONE);
    vec![work.row(label, Unit::Microseconds, "launch", 1.0)]
}

fn calls(depth: Depth) -> Vec<Work> {
    let small = [(1, 2000), (8, 8000), (64, 16000), (512, 16000)].map(|(at_once, calls)| {
        let numbers = [("at-once", at_once), ("count", depth.of(calls)), ("repeats", 3)];
        let work = Work::new(format!("unary-100b-{at_once}"), "unary", &numbers);
        let work = work.row(format!("unary call of 100 bytes, {at_once} in flight"), Unit::Microseconds, "call", 1.0);
        work.row(format!("unary calls of 100 bytes, {at_once} in flight"), Unit::PerSecond, "calls", 1.0)
    });
    let large = [(1, "1mib", "1 MiB", 100), (16, "16mib", "16 MiB", 10)].map(|(mebibytes, name, size, calls)| {
        let bytes = mebibytes * 1024 * 1024;
        let numbers = [("bytes", bytes), ("count", depth.of(calls)), ("repeats", 3)];
        let work = Work::new(format!("unary-{name}"), "unary", &numbers);
        let work = work.row(format!("unary call of {size} there and back"), Unit::Microseconds, "call", 1.0);
        // There and back.
        work.row(
            format!("unary calls of {size}, both ways together"),
            Unit::BytesPerSecond,
            "calls",
            2.0 * bytes as f64,
        )
    });
    small.into_iter().chain(large).collect()
}

fn streams(depth: Depth) -> Vec<Work> {
    const LARGE: usize = 1024 * 1024;
    let small = [("bytes", 100), ("count", depth.of(50_000)), ("repeats", 3)];
    let large = [("bytes", LARGE), ("count", depth.of(300)), ("repeats", 3)];
    vec![
        Work::new("stream-100b", "stream", &small).row(
            "stream of messages of 100 bytes",
            Unit::PerSecond,
            "messages",
            1.0,
        ),
        Work::new("stream-1mib", "stream", &large).row(
            "stream of messages of 1 MiB",
            Unit::BytesPerSecond,
            "messages",
            LARGE as f64,
        ),
    ]
}

fn lines(depth: Depth) -> Vec<Work> {
    let numbers = [("count", depth.of(20_000)), ("repeats", 3)];
    vec![Work::new("log", "log", &numbers).row("lines that the plugin logs", Unit::PerSecond, "lines", 1.0)]
}

/// The number of plugins in each fleet.
const FLEETS: [usize; 4] = [1, 10, 50, 100];

fn fleets(depth: Depth) -> Vec<Work> {
    let work = |plugins: usize| {
        let load = if plugins == 1 { depth.of(2000) } else { 0 };
        let mut work = Work::new(format!("fleet-{plugins}"), "fleet", &[("plugins", plugins), ("count", load)]);
        let states: &[_] = if load > 0 { &[IDLE, LOADED] } else { &[IDLE] };
        for (name, metrics) in states {
            let of = if plugins == 1 { format!("1 plugin, {name}") } else { format!("{plugins} plugins, {name}") };
            for (what, unit, metric) in metrics {
                work = work.row(format!("{of}: {what}"), *unit, metric, 1.0);
            }
        }
        work.row(format!("{plugins} launched, 8 at once: until all answered"), Unit::Microseconds, "start", 1.0)
    };
    FLEETS.map(work).into()
}

type State = (&'static str, [(&'static str, Unit, &'static str); 8]);

const IDLE: State = (
    "idle",
    [
        ("host's memory (Pss)", Unit::Bytes, "idle.host.pss"),
        ("host's memory (Rss)", Unit::Bytes, "idle.host.rss"),
        ("plugins' memory (Pss)", Unit::Bytes, "idle.plugins.pss"),
        ("plugins' memory (Rss)", Unit::Bytes, "idle.plugins.rss"),
        ("host's and plugins' memory (Pss)", Unit::Bytes, "idle.all.pss"),
        ("images that the host holds", Unit::Bytes, "idle.host.images"),
        ("host's descriptors", Unit::Pieces, "idle.host.descriptors"),
        ("host's threads", Unit::Pieces, "idle.host.threads"),
    ],
);

const LOADED: State = (
    "after load",
    [
        ("host's memory (Pss)", Unit::Bytes, "loaded.host.pss"),
        ("host's memory (Rss)", Unit::Bytes, "loaded.host.rss"),
        ("plugins' memory (Pss)", Unit::Bytes, "loaded.plugins.pss"),
        ("plugins' memory (Rss)", Unit::Bytes, "loaded.plugins.rss"),
        ("host's and plugins' memory (Pss)", Unit::Bytes, "loaded.all.pss"),
        ("images that the host holds", Unit::Bytes, "loaded.host.images"),
        ("host's descriptors", Unit::Pieces, "loaded.host.descriptors"),
        ("host's threads", Unit::Pieces, "loaded.host.threads"),
    ],
);
