//! The duration of a launch, a call and their parts on this machine. Stages that are not public are
//! taken from the report of a launch.
#![allow(missing_docs, reason = "a program")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot start fails")]

use std::hint::black_box;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench::proto::Payload;
use bench::proto::bench_client::BenchClient;
use bench::tls;
use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use portcullis::host::Channel;
use portcullis::host::{Environment, Plugin};
use portcullis::{Digest, MESSAGE_LIMIT, Policy, Protocol};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use tokio::runtime::Runtime;

const PLUGIN: &str = env!("CARGO_BIN_EXE_bench-plugin");
const MEBIBYTE: usize = 1024 * 1024;
const LARGE: u64 = 20 * 1024 * 1024;

criterion_group!(stages, hashing, verification, identity, tls_handshake, launch, launch_steps, calls);
criterion_main!(stages);

fn hashing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sha256");
    for size in [MEBIBYTE, 16 * MEBIBYTE] {
        let data = vec![b'x'; size];
        group.throughput(Throughput::Bytes(size as u64));
        group
            .bench_function(BenchmarkId::from_parameter(size), |bencher| bencher.iter(|| Digest::of(black_box(&data))));
    }
    group.finish();
}

fn verification(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let file = large_plugin(directory.path());
    let digest = Digest::read(std::fs::File::open(&file).unwrap()).unwrap();
    let mut group = criterion.benchmark_group("verify");
    group.sample_size(20).throughput(Throughput::Bytes(LARGE));
    group.bench_function("copied, sealed and hashed", |bencher| {
        let policy = || Policy::new().allow(digest);
        bencher.iter_batched(policy, |policy| policy.verify(&file).unwrap(), BatchSize::PerIteration);
    });
    let warm = Policy::new().allow(digest);
    warm.verify(&file).unwrap();
    group.throughput(Throughput::Elements(1));
    group.bench_function("image cached", |bencher| bencher.iter(|| warm.verify(&file).unwrap()));
    group.finish();
}

fn large_plugin(directory: &Path) -> PathBuf {
    let file = directory.join("large-plugin");
    bench::large::copy_padded(Path::new(PLUGIN), &file, LARGE).unwrap();
    file
}

fn identity(criterion: &mut Criterion) {
    criterion.bench_function("P-256 key and certificate", |bencher| bencher.iter(|| tls::identity().unwrap()));
}

/// A handshake in which both ends present a certificate, as between host and plugin. Both ends run
/// in one thread, over a socketpair.
fn tls_handshake(criterion: &mut Criterion) {
    let (host, plugin) = (tls::identity().unwrap(), tls::identity().unwrap());
    let (host_certificate, plugin_certificate) = (host.0.clone(), plugin.0.clone());
    let client = Arc::new(tls::client(plugin_certificate, Some(host)).unwrap());
    let server = Arc::new(tls::server(plugin, Some(host_certificate)).unwrap());
    criterion.bench_function("mutual TLS handshake", |bencher| bencher.iter(|| shake_hands(&client, &server)));
}

fn shake_hands(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), tls::name().unwrap()).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        if client.wants_write() {
            client.write_tls(&mut near).unwrap();
            server.read_tls(&mut far).unwrap();
            server.process_new_packets().unwrap();
        }
        if server.wants_write() {
            server.write_tls(&mut far).unwrap();
            client.read_tls(&mut near).unwrap();
            client.process_new_packets().unwrap();
        }
    }
}

/// A host with a verified plugin.
struct Host {
    runtime: Runtime,
    policy: Policy,
}

impl Host {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let policy = Policy::new().allow(Digest::read(std::fs::File::open(PLUGIN).unwrap()).unwrap());
        policy.verify(PLUGIN).unwrap();
        Self { runtime, policy }
    }

    fn launch(&self) -> Plugin {
        let launch = Plugin::builder(self.policy.verify(PLUGIN).unwrap())
            .with_protocol(Protocol::new(bench::COOKIE_KEY, bench::COOKIE_VALUE, bench::VERSION))
            .with_environment(Environment::empty())
            .launch();
        self.runtime.block_on(launch).unwrap()
    }

    fn echo(&self, client: &mut BenchClient<Channel>, data: Bytes) -> Bytes {
        self.runtime.block_on(client.echo(Payload { data })).unwrap().into_inner().data
    }

    fn shut_down(&self, plugin: &Plugin) {
        self.runtime.block_on(plugin.shutdown(Duration::from_secs(2)));
    }
}

fn client(plugin: &Plugin) -> BenchClient<Channel> {
    BenchClient::new(plugin.channel()).max_decoding_message_size(MESSAGE_LIMIT)
}

fn launch(criterion: &mut Criterion) {
    let host = Host::new();
    let mut group = criterion.benchmark_group("launch");
    group.sample_size(20);
    group.bench_function("to the first call's answer", |bencher| {
        bencher.iter_custom(|times| {
            let once = |_| {
                let started = Instant::now();
                let plugin = host.launch();
                host.echo(&mut client(&plugin), Bytes::from_static(&[b'x'; 100]));
                let took = started.elapsed();
                host.shut_down(&plugin);
                took
            };
            (0..times).map(once).sum()
        });
    });
    group.bench_function("shutdown", |bencher| {
        bencher.iter_custom(|times| {
            let once = |_| {
                let plugin = host.launch();
                let started = Instant::now();
                host.shut_down(&plugin);
                started.elapsed()
            };
            (0..times).map(once).sum()
        });
    });
    group.finish();
}

/// The steps of a launch, as its report lists them.
fn launch_steps(criterion: &mut Criterion) {
    let host = Host::new();
    let mut group = criterion.benchmark_group("launch, step by step");
    group.sample_size(10).measurement_time(Duration::from_secs(2));
    for (number, name) in ["process", "handshake line", "connection", "TLS", "HTTP/2", "health"].into_iter().enumerate()
    {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let once = |_| {
                    let plugin = host.launch();
                    let (step, took) = plugin.report().timings.steps()[number];
                    assert_eq!(step, name);
                    host.shut_down(&plugin);
                    took
                };
                (0..times).map(once).sum()
            });
        });
    }
    group.finish();
}

fn calls(criterion: &mut Criterion) {
    let host = Host::new();
    let plugin = host.launch();
    let mut client = client(&plugin);
    let mut group = criterion.benchmark_group("unary call");
    for size in [100, MEBIBYTE] {
        let data = Bytes::from(vec![b'x'; size]);
        // Counts both directions.
        group.throughput(Throughput::Bytes(2 * size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| host.echo(&mut client, data.clone()));
        });
    }
    group.finish();
    host.shut_down(&plugin);
}
