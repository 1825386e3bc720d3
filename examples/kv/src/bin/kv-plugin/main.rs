//! The plugin of the example: serves a store in the directory that it is given. Says what is
//! served; the rest is in `service`.

mod service;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use kv::{Store, StoreError};
use portcullis::plugin;
use tonic::service::Routes;

/// Keeps values by key. Started by kv-host, or by a host built with go-plugin.
#[derive(Parser)]
struct Arguments {
    /// The directory that the values are kept in
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Also serve hosts that offer no certificate
    #[arg(long)]
    dangerous_allow_plaintext: bool,
}

fn main() -> ExitCode {
    let mut plugin = plugin::builder("BASIC_PLUGIN", "hello");
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

/// What go-plugin's published example knows.
fn version_1(data: &Path) -> Result<Routes, StoreError> {
    Ok(Routes::new(service::kv(Store::open(data)?)))
}

/// The whole store, and the same values for who knows no more than version 1.
fn version_2(data: &Path) -> Result<Routes, StoreError> {
    let store = Store::open(data)?;
    Ok(Routes::new(service::kv(store.clone())).add_service(service::store(store)))
}
