//! The limits of the machine: sockets without gRPC, processes without plugins, hashing without
//! files.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use portcullis::Digest;
use serde_json::Value;

use super::peers::{LARGE, Peers, Side};
use super::row::{Metrics, Row, Unit};
use super::work::Depth;
use crate::hash;

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// One limit, and how often to measure it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    what: What,
    repeats: usize,
    /// Messages in each repeat.
    count: usize,
}

#[derive(Debug, Clone, Copy)]
enum What {
    /// Work of the program `bench-floor`, by its name there.
    Floor(&'static str),
    /// The start of a plugin's program, which prints one line.
    Spawn(Side, bool),
    OpensslSha256,
    LibrarySha256,
}

pub(super) fn all(depth: &Depth) -> Vec<Limit> {
    let limit = |what, repeats, count| Limit { what, repeats, count: depth.of(count) };
    let spawn = |side, large| limit(What::Spawn(side, large), depth.of(50), 1);
    vec![
        limit(What::Floor("ping-pong"), 3, 5000),
        limit(What::Floor("tls-ping-pong"), 3, 5000),
        limit(What::Floor("throughput"), 3, 500),
        limit(What::Floor("tls-throughput"), 3, 500),
        spawn(Side::Rust, false),
        spawn(Side::Rust, true),
        spawn(Side::Go, false),
        limit(What::LibrarySha256, depth.of(20), 1),
        limit(What::OpensslSha256, 1, 1),
    ]
}

impl Limit {
    pub(super) fn name(&self) -> String {
        match self.what {
            What::Floor(work) => format!("limit-{work}"),
            What::Spawn(side, large) => {
                format!("limit-spawn-{}{}", side.name().to_lowercase(), if large { "-large" } else { "" })
            }
            What::LibrarySha256 => "limit-sha256-library".into(),
            What::OpensslSha256 => "limit-sha256-openssl".into(),
        }
    }

    /// Its rows, still empty.
    pub(super) fn rows(&self) -> Vec<Row> {
        let row = |label: &str, unit, metric| Row::new(&self.name(), label, unit, metric).alone();
        let time = |label: &str| vec![row(label, Unit::Microseconds, "took")];
        match self.what {
            What::Floor("ping-pong") => vec![row("100 bytes there and back, bare sockets", Unit::Microseconds, "call")],
            What::Floor("tls-ping-pong") => vec![row("100 bytes there and back, bare TLS", Unit::Microseconds, "call")],
            What::Floor("throughput") => {
                vec![row("1 MiB one way, bare sockets", Unit::BytesPerSecond, "messages").scaled(MEBIBYTE)]
            }
            What::Floor(_) => vec![row("1 MiB one way, bare TLS", Unit::BytesPerSecond, "messages").scaled(MEBIBYTE)],
            What::Spawn(side, false) => time(&format!("start of the {} plugin's file: one line", side.name())),
            What::Spawn(side, true) => time(&format!("start of the {} plugin's file of 20 MiB", side.name())),
            What::LibrarySha256 => time("SHA-256 of a file of 20 MiB, our library"),
            What::OpensslSha256 => time("SHA-256 of 20 MiB, openssl speed"),
        }
    }

    pub(super) fn measure(&self, peers: &Peers) -> Result<Metrics> {
        let took = |samples| Metrics::from([("took".to_string(), samples)]);
        match self.what {
            What::Floor(work) => self.floor(peers, work),
            What::Spawn(side, large) => Ok(took(self.timed(|| first_line(peers, side, large))?)),
            What::LibrarySha256 => Ok(took(self.timed(|| {
                let file = std::fs::File::open(&peers.plugin(Side::Rust, true).path)?;
                std::hint::black_box(Digest::read(file)?);
                Ok(())
            })?)),
            What::OpensslSha256 => Ok(took(vec![LARGE as f64 / hash::openssl_speed()?])),
        }
    }

    fn timed(&self, run: impl Fn() -> Result<()>) -> Result<Vec<f64>> {
        let once = |_| {
            let started = Instant::now();
            run().map(|()| started.elapsed().as_secs_f64() * 1e6)
        };
        (0..self.repeats).map(once).collect()
    }

    fn floor(&self, peers: &Peers, work: &str) -> Result<Metrics> {
        let output = Command::new(&peers.floor)
            .args(["--repeats", &self.repeats.to_string(), "--count", &self.count.to_string(), work])
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(output.status.success(), "bench-floor failed");
        let mut metrics = Metrics::new();
        for line in output.stdout.lines() {
            let line: Value = serde_json::from_str(&line?)?;
            let samples = line["samples"].as_array().context("no samples")?;
            let metric = line["metric"].as_str().context("no name of the metric")?;
            metrics.insert(metric.into(), samples.iter().filter_map(Value::as_f64).collect());
        }
        Ok(metrics)
    }
}

/// Starts a plugin's program and waits for its one line, but not for its exit: a host continues
/// then.
fn first_line(peers: &Peers, side: Side, large: bool) -> Result<()> {
    let program = &peers.plugin(side, large).path;
    let mut child = Command::new(program).arg("--first-line").env_clear().stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let output = child.stdout.take().context("standard output is piped")?;
    let read = BufReader::new(output.take(100)).read_line(&mut line);
    // Reaped in any case, on another thread, whose time is not measured.
    std::thread::spawn(move || child.wait());
    ensure!(read? > 0, "{} printed nothing", program.display());
    Ok(())
}
