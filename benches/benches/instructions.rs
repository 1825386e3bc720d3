//! The instructions of the host in its main operations, counted by callgrind. The counts are nearly
//! the same on every machine. `cargo bench-guard` runs this and compares the counts with the
//! expected ones. The plugin is not counted.
//!
//! Launches use private copies: valgrind opens programs by path and cannot run a sealed image.
#![allow(missing_docs, reason = "a program")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot start fails")]

use std::path::{Path, PathBuf};

use bench::proto::Payload;
use bench::proto::bench_client::BenchClient;
use bytes::Bytes;
use gungraun::Callgrind;
use gungraun::prelude::*;
use portcullis::host::{Environment, Plugin};
use portcullis::verify::VerifiedPlugin;
use portcullis::{Digest, Policy, Protocol};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const PLUGIN: &str = env!("CARGO_BIN_EXE_bench-plugin");

/// The size of the verified file in bytes, independent of the code of the plugin.
const SIZE: u64 = 16 * 1024 * 1024;

/// The number of calls in one measurement: enough to hide one-time work.
const CALLS: usize = 200;

/// A file, and a policy that allows it.
struct Fixture {
    policy: Policy,
    file: PathBuf,
    _directory: TempDir,
}

impl Fixture {
    fn sealed() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("plugin");
        bench::large::copy_padded(Path::new(PLUGIN), &file, SIZE).unwrap();
        let policy = Policy::new().allow(Digest::read(std::fs::File::open(&file).unwrap()).unwrap());
        Self { policy, file, _directory: directory }
    }

    fn sealed_and_cached() -> Self {
        let fixture = Self::sealed();
        fixture.verify();
        fixture
    }

    fn verify(&self) -> VerifiedPlugin {
        self.policy.verify(&self.file).unwrap()
    }
}

/// A result and its fixture. Returning both drops them outside the measurement.
type Measured<T> = (T, Fixture);

#[library_benchmark]
#[bench::first(args = (), setup = Fixture::sealed)]
#[bench::cached(args = (), setup = Fixture::sealed_and_cached)]
fn verify(ground: Fixture) -> Measured<VerifiedPlugin> {
    (ground.verify(), ground)
}

/// A runtime, and a verified plugin that is not launched.
struct Host {
    runtime: Runtime,
    verified: VerifiedPlugin,
    _copies: TempDir,
}

impl Host {
    fn new() -> Self {
        let copies = tempfile::tempdir().unwrap();
        let digest = Digest::read(std::fs::File::open(PLUGIN).unwrap()).unwrap();
        let policy = Policy::new().allow(digest).with_private_copy(copies.path());
        let host = Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            verified: policy.verify(PLUGIN).unwrap(),
            _copies: copies,
        };
        // The first launch does work that happens once per process.
        drop(host.launch());
        host
    }

    fn launch(&self) -> Plugin {
        let launch = Plugin::builder(self.verified.clone())
            .with_protocol(Protocol::new(bench::COOKIE_KEY, bench::COOKIE_VALUE, bench::VERSION))
            .with_environment(Environment::empty())
            .launch();
        self.runtime.block_on(launch).unwrap()
    }

    fn call(&self, plugin: &Plugin) {
        let mut client = BenchClient::new(plugin.channel());
        let data = Bytes::from_static(&[b'x'; 100]);
        self.runtime.block_on(async {
            for _ in 0..CALLS {
                client.echo(Payload { data: data.clone() }).await.unwrap();
            }
        });
    }

    fn with_plugin() -> (Self, Plugin) {
        let host = Self::new();
        let plugin = host.launch();
        host.call(&plugin);
        (host, plugin)
    }
}

#[library_benchmark]
#[bench::again(args = (), setup = Host::new)]
fn launch(host: Host) -> (Plugin, Host) {
    (host.launch(), host)
}

#[library_benchmark]
#[bench::calls_200(args = (), setup = Host::with_plugin)]
fn unary((host, plugin): (Host, Plugin)) -> (Plugin, Host) {
    host.call(&plugin);
    (plugin, host)
}

library_benchmark_group!(name = host, benchmarks = [verify, launch, unary]);

main!(
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::with_args(["--cache-sim=no", "--trace-children=no"]))
        // The files of a valgrind that is not installed system-wide.
        .pass_through_env("VALGRIND_LIB"),
    library_benchmark_groups = host
);
