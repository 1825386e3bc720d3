//! The plugin of the example. Opens the store and hands its services to the plugin SDK; the
//! services themselves are in `service`.

mod service;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use kv::{Store, StoreError};
use portcullis::plugin;
use tonic::service::Routes;

/// Stores values by key. Launched by kv-host, or by a host built with go-plugin.
#[derive(Parser)]
struct Arguments {
    /// The directory that holds the store
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Also serve hosts that offer no certificate
    #[arg(long)]
    dangerous_allow_plaintext: bool,
}

fn main() -> ExitCode {
    let mut plugin = plugin::builder("BASIC_PLUGIN", "hello");
    // Without a host, `serve` explains how to run a plugin. Parsing first would complain about a
    // missing `--data` instead.
    if plugin.was_launched() {
        let arguments = Arguments::parse();
        if arguments.dangerous_allow_plaintext {
            plugin = plugin.dangerous_allow_plaintext();
        }
        let (first, second) = (arguments.data.clone(), arguments.data);
        plugin =
            plugin.version(1, || async move { version_1(&first) }).version(2, || async move { version_2(&second) });
    }
    plugin.serve()
}

/// The KV service of go-plugin's published example.
fn version_1(data: &Path) -> Result<Routes, StoreError> {
    Ok(Routes::new(service::kv(Store::open(data)?)))
}

/// The Store service, and the KV service over the same values.
fn version_2(data: &Path) -> Result<Routes, StoreError> {
    let store = Store::open(data)?;
    Ok(Routes::new(service::kv(store.clone())).add_service(service::store(store)))
}
