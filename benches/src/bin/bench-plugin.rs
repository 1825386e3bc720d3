//! The plugin that is measured: the benchmark's service, served by this library. Keeps nothing.

use std::io;
use std::process::ExitCode;

use portcullis::plugin;
use tonic::service::Routes;

/// The argument that accepts hosts without a certificate.
const PLAINTEXT: &str = "--dangerous-allow-plaintext";

fn main() -> ExitCode {
    // Before anything else, because this is the lower bound that launches are compared with.
    if has_argument(bench::FIRST_LINE) {
        println!("first line");
        return ExitCode::SUCCESS;
    }
    let mut plugin = plugin::builder(bench::COOKIE_KEY, bench::COOKIE_VALUE);
    if has_argument(PLAINTEXT) {
        plugin = plugin.dangerous_allow_plaintext();
    }
    plugin.version(bench::VERSION, services).serve()
}

/// Parses by hand, because an argument parser would be part of every launch.
fn has_argument(wanted: &str) -> bool {
    std::env::args_os().skip(1).any(|argument| argument == wanted)
}

async fn services() -> io::Result<Routes> {
    Ok(Routes::new(bench::service::server()))
}
