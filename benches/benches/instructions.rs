//! What the host's side of its main works takes in instructions, counted by callgrind: the same on
//! every machine, or nearly so. `cargo bench-guard` runs it and holds it against what is known. The
//! plugin runs beside, uncounted.
//!
//! Under callgrind a program in sealed memory cannot be executed (valgrind looks for it by a path):
//! launches take private copies.
#![allow(missing_docs, reason = "a program")]
#![allow(clippy::unwrap_used, reason = "what cannot start cannot be measured")]

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

/// The size of the file that is verified: the same whatever the plugin's own code is like.
const SIZE: u64 = 16 * 1024 * 1024;

/// So many that what happens once is lost among them.
const CALLS: usize = 200;

/// A file, and a policy that allows it.
struct Ground {
    policy: Policy,
    file: PathBuf,
    _directory: TempDir,
}

impl Ground {
    fn sealed() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("plugin");
        bench::large::copy_padded(Path::new(PLUGIN), &file, SIZE).unwrap();
        let policy = Policy::new().allow(Digest::read(std::fs::File::open(&file).unwrap()).unwrap());
        Self { policy, file, _directory: directory }
    }

    fn sealed_and_cached() -> Self {
        let ground = Self::sealed();
        ground.verify();
        ground
    }

    fn verify(&self) -> VerifiedPlugin {
        self.policy.verify(&self.file).unwrap()
    }
}

/// What is left when something was measured. It is dropped when nobody counts.
type Rest<T> = (T, Ground);

#[library_benchmark]
#[bench::first(args = (), setup = Ground::sealed)]
#[bench::cached(args = (), setup = Ground::sealed_and_cached)]
fn verify(ground: Ground) -> Rest<VerifiedPlugin> {
    (ground.verify(), ground)
}

/// A runtime, and a plugin that is verified and not launched.
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
        // What a process does once belongs to no launch.
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
        // Where a valgrind that is not installed has its parts.
        .pass_through_env("VALGRIND_LIB"),
    library_benchmark_groups = host
);
