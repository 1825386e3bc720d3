//! Side by side with go-plugin: the same work on our pair and on the Go pair, interleaved in one run. Prints; judges nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use kv::proto::kv_client::KvClient;
use kv::proto::{GetRequest, PutRequest};
use portcullis::host::{Channel, Environment, Plugin};
use portcullis::verify::ImageCache;
use portcullis::{Digest, MESSAGE_LIMIT, Policy, Protocol};

use crate::{build_release, quantile, root};

/// Each contender runs this often, a third in each round, so that a disturbance of the machine meets all of them.
const LAUNCHES: usize = 30;
const ROUNDS: usize = 3;
const CALLS: usize = 2000;
const WARM_UP: usize = 200;

/// What one contender took, in microseconds.
#[derive(Default)]
struct Times {
    launches: Vec<f64>,
    calls: Vec<f64>,
}

pub(crate) fn run() -> Result<()> {
    let ours = build_release("kv")?.join("kv-plugin");
    let go = build_go()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut cached, mut fresh, mut theirs) = (Times::default(), Times::default(), Times::default());
    let digest = Digest::read(std::fs::File::open(&ours)?)?;
    let policy = Policy::new().allow(digest);
    policy.verify(&ours)?;
    let uncached = Policy::new().allow(digest).with_cache(ImageCache::with_budget(0));
    for _ in 0..ROUNDS {
        runtime.block_on(measure(&policy, &ours, &mut cached))?;
        runtime.block_on(measure(&uncached, &ours, &mut fresh))?;
        measure_go(&go, &mut theirs)?;
    }
    println!(
        "launch to first call, {LAUNCHES} launches each, and unary calls of 100 bytes one at a time, {} each",
        CALLS * ROUNDS
    );
    println!("{:<44} {:>12} {:>12} {:>12} {:>12}", "microseconds", "launch p50", "launch p90", "call p50", "call p99");
    row("Portcullis + Portcullis, image cached", &mut cached);
    row(&format!("Portcullis + Portcullis, {} MiB read and hashed", std::fs::metadata(&ours)?.len() >> 20), &mut fresh);
    row("go-plugin + go-plugin, AutoMTLS, no digest", &mut theirs);
    println!(
        "go-plugin / Portcullis: launch {:.1} (cached) and {:.1} (hashed), call {:.2}",
        quantile(&mut theirs.launches, 0.5) / quantile(&mut cached.launches, 0.5),
        quantile(&mut theirs.launches, 0.5) / quantile(&mut fresh.launches, 0.5),
        quantile(&mut theirs.calls, 0.5) / quantile(&mut cached.calls, 0.5),
    );
    Ok(())
}

struct GoPair {
    host: PathBuf,
    plugin: PathBuf,
}

fn build_go() -> Result<GoPair> {
    let target = root().join("target/interop/go");
    std::fs::create_dir_all(&target)?;
    let built = Command::new("go")
        .args(["build", "-o"])
        .arg(format!("{}/", target.display()))
        .args(["./kv-plugin", "./kv-host"])
        .current_dir(root().join("tests/interop/go"))
        .status()
        .context("cannot run go")?;
    ensure!(built.success(), "the Go pair does not build");
    Ok(GoPair { host: target.join("kv-host"), plugin: target.join("kv-plugin") })
}

async fn measure(policy: &Policy, file: &Path, times: &mut Times) -> Result<()> {
    let data = tempfile::tempdir()?;
    let plugin = launch(policy, file, data.path()).await?;
    put(&mut client(&plugin)).await?;
    plugin.shutdown(Duration::from_secs(2)).await;
    for _ in 0..LAUNCHES / ROUNDS {
        let started = Instant::now();
        let plugin = launch(policy, file, data.path()).await?;
        get(&mut client(&plugin)).await?;
        times.launches.push(micros(started));
        plugin.shutdown(Duration::from_secs(2)).await;
    }
    let plugin = launch(policy, file, data.path()).await?;
    let mut client = client(&plugin);
    for call in 0..WARM_UP + CALLS {
        let started = Instant::now();
        get(&mut client).await?;
        if call >= WARM_UP {
            times.calls.push(micros(started));
        }
    }
    plugin.shutdown(Duration::from_secs(2)).await;
    Ok(())
}

async fn launch(policy: &Policy, file: &Path, data: &Path) -> Result<Plugin> {
    let launch = Plugin::builder(policy.verify(file)?)
        .with_protocol(Protocol::new("BASIC_PLUGIN", "hello", 1))
        .with_environment(Environment::empty())
        .args(["--data".into(), data.as_os_str().to_os_string()])
        .launch();
    Ok(launch.await?)
}

fn client(plugin: &Plugin) -> KvClient<Channel> {
    KvClient::new(plugin.channel()).max_decoding_message_size(MESSAGE_LIMIT)
}

async fn put(client: &mut KvClient<Channel>) -> Result<()> {
    client.put(PutRequest { key: "key".into(), value: Bytes::from_static(&[b'x'; 100]) }).await?;
    Ok(())
}

async fn get(client: &mut KvClient<Channel>) -> Result<()> {
    let value = client.get(GetRequest { key: "key".into() }).await?.into_inner().value;
    ensure!(value.len() == 100, "the value is not what was put");
    Ok(())
}

fn micros(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e6
}

fn measure_go(go: &GoPair, times: &mut Times) -> Result<()> {
    let (launches, calls) = ((LAUNCHES / ROUNDS).to_string(), CALLS.to_string());
    let output = Command::new(&go.host)
        .arg("-plugin")
        .arg(&go.plugin)
        .args(["bench", "-launches", &launches, "-calls", &calls])
        .output()?;
    ensure!(output.status.success(), "the Go host failed: {}", String::from_utf8_lossy(&output.stderr));
    let measured: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let numbers = |name: &str| measured[name].as_array().into_iter().flatten().filter_map(serde_json::Value::as_f64);
    times.launches.extend(numbers("launch_to_first_call_us"));
    times.calls.extend(numbers("call_us"));
    Ok(())
}

fn row(name: &str, times: &mut Times) {
    let Times { launches, calls } = times;
    println!(
        "{name:<44} {:>12.0} {:>12.0} {:>12.0} {:>12.0}",
        quantile(launches, 0.5),
        quantile(launches, 0.9),
        quantile(calls, 0.5),
        quantile(calls, 0.99)
    );
}
