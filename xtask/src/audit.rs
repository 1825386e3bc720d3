//! Measures the cost of the audit log: the same calls without a log, in best-effort mode and in
//! required mode, interleaved in one run; and the disk alone. Asserts nothing.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use kv::proto::kv_client::KvClient;
use kv::proto::{GetRequest, PutRequest};
use portcullis::audit::{Log, LogKey, Mode};
use portcullis::host::Arguments;
use portcullis::host::{self, Channel, Environment, Plugin};
use portcullis::{Digest, Policy, Protocol};
use tonic::Request;

use crate::{build_release, quantile, root};

const ROUNDS: usize = 5;
const SLICE: Duration = Duration::from_millis(600);
const IN_FLIGHT: [usize; 3] = [1, 8, 64];
const WORKS: [Work; 2] = [Work::Get, Work::Put];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Get,
    Put,
}

pub(crate) fn run() -> Result<()> {
    let plugin = build_release("kv")?.join("kv-plugin");
    let place = tempfile::tempdir_in(root().join("target"))?;
    fs::set_permissions(place.path(), Permissions::from_mode(0o700))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let contenders = runtime.block_on(async {
        let mut contenders = Vec::new();
        for (name, log) in [
            ("off", None),
            ("best effort", Some(open(place.path(), "best", true)?)),
            ("required", Some(open(place.path(), "required", false)?)),
        ] {
            contenders.push(Contender::launch(name, log, &plugin, place.path()).await?);
        }
        anyhow::Ok(contenders)
    })?;
    println!("file system of the logs: {}", file_system(place.path())?);
    disk_alone(place.path())?;
    println!("\ncalls per second of 100 bytes, median of {ROUNDS} rounds of {SLICE:?} each, interleaved\n");
    println!(
        "{:<6} {:>9} {:>10} {:>12} {:>10} {:>18} {:>18} {:>18}",
        "", "in flight", "off", "best effort", "required", "best effort / off", "required / off", "records per wait"
    );
    for work in WORKS {
        for in_flight in IN_FLIGHT {
            let mut rates = vec![Vec::new(); contenders.len()];
            let before = contenders.iter().map(Contender::written).collect::<Vec<_>>();
            for _ in 0..ROUNDS {
                for (contender, rates) in contenders.iter().zip(&mut rates) {
                    rates.push(runtime.block_on(contender.rate(work, in_flight))?);
                }
            }
            let shared: Vec<_> = contenders.iter().zip(before).map(|(it, before)| it.shared(before)).collect();
            row(work, in_flight, &mut rates, &shared);
        }
    }
    runtime.block_on(async {
        for contender in contenders {
            contender.end().await?;
        }
        Ok(())
    })
}

fn open(place: &Path, name: &str, best_effort: bool) -> Result<Log> {
    let key = LogKey::generate(&format!("bench/{name}"))?;
    let builder = Log::builder(place.join(name), key);
    Ok(if best_effort { builder.best_effort() } else { builder }.open()?)
}

/// A plugin, and the log that records its calls.
struct Contender {
    plugin: Plugin,
    log: Option<Log>,
}

impl Contender {
    async fn launch(name: &str, log: Option<Log>, file: &Path, place: &Path) -> Result<Self> {
        let policy = Policy::new().allow(Digest::read(fs::File::open(file)?)?);
        let verified = match &log {
            Some(log) => host::verify(&policy, file, log)?,
            None => policy.verify(file)?,
        };
        let data = place.join(format!("data-{name}"));
        fs::create_dir(&data)?;
        let mut builder = Plugin::builder(verified)
            .with_protocol(Protocol::new("BASIC_PLUGIN", "hello", 1))
            .with_environment(Environment::empty())
            .args(["--data".into(), data.into_os_string()]);
        if let Some(log) = &log {
            builder = builder.with_recorder(Arc::new(log.clone()));
        }
        let contender = Self { plugin: builder.launch().await?, log };
        call(&mut KvClient::new(contender.plugin.channel()), Work::Put).await?;
        Ok(contender)
    }

    /// Calls per second.
    async fn rate(&self, work: Work, in_flight: usize) -> Result<f64> {
        let started = Instant::now();
        let callers = (0..in_flight).map(|_| {
            let mut client = KvClient::new(self.plugin.channel());
            tokio::spawn(async move {
                let mut calls = 0_u64;
                while started.elapsed() < SLICE {
                    call(&mut client, work).await?;
                    calls += 1;
                }
                anyhow::Ok(calls)
            })
        });
        let mut calls = 0;
        for caller in callers.collect::<Vec<_>>() {
            calls += caller.await??;
        }
        Ok(calls as f64 / started.elapsed().as_secs_f64())
    }

    /// The number of records written, and of the batches they were written in.
    fn written(&self) -> (u64, u64) {
        let status = self.log.as_ref().map(Log::status).unwrap_or_default();
        (status.records, status.batches)
    }

    /// The mean number of records in a batch since `before`.
    fn shared(&self, before: (u64, u64)) -> f64 {
        let now = self.written();
        (now.0 - before.0) as f64 / (now.1 - before.1) as f64
    }

    async fn end(self) -> Result<()> {
        self.plugin.shutdown(Duration::from_secs(2)).await;
        if let Some(log) = self.log {
            let lost = log.status().lost;
            ensure!(lost == 0 || log.mode() == Mode::BestEffort, "records were lost");
            if lost > 0 {
                println!("\nbest effort lost {lost} records: the log was filled faster than it was written");
            }
            log.close()?;
        }
        Ok(())
    }
}

async fn call(client: &mut KvClient<Channel>, work: Work) -> Result<()> {
    let about = Arguments::new().with("key", "key")?;
    match work {
        Work::Get => {
            let mut request = Request::new(GetRequest { key: "key".into() });
            request.extensions_mut().insert(about);
            let value = client.get(request).await?.into_inner().value;
            ensure!(value.len() == 100, "the value differs from the stored one");
        }
        Work::Put => {
            let value = Bytes::from_static(&[b'x'; 100]);
            let mut request = Request::new(PutRequest { key: "key".into(), value });
            request.extensions_mut().insert(about);
            client.put(request).await?;
        }
    }
    Ok(())
}

fn file_system(place: &Path) -> Result<String> {
    let output = Command::new("stat").args(["--file-system", "--format=%T"]).arg(place).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Measures an append and fdatasync(2) of one record of a usual size. In required mode every record
/// waits that long, alone or with others.
fn disk_alone(place: &Path) -> Result<()> {
    let mut file = OpenOptions::new().append(true).create_new(true).open(place.join("disk"))?;
    let mut micros = Vec::new();
    for _ in 0..500 {
        let started = Instant::now();
        file.write_all(&[b'x'; 300])?;
        file.sync_data()?;
        micros.push(started.elapsed().as_secs_f64() * 1e6);
    }
    let (half, most) = (quantile(&mut micros, 0.5), quantile(&mut micros, 0.99));
    println!("the disk alone, 300 bytes and fdatasync: p50 {half:.0} µs, p99 {most:.0} µs");
    Ok(())
}

fn row(work: Work, in_flight: usize, rates: &mut [Vec<f64>], shared: &[f64]) {
    let name = if work == Work::Get { "get" } else { "put" };
    let medians: Vec<_> = rates.iter_mut().map(|rates| quantile(rates, 0.5)).collect();
    if let ([off, best, required], [.., shared]) = (&medians[..], shared) {
        let (to_best, to_required) = (best / off, required / off);
        println!(
            "{name:<6} {in_flight:>9} {off:>10.0} {best:>12.0} {required:>10.0} {to_best:>18.2} {to_required:>18.2} {shared:>18.1}"
        );
    }
}
