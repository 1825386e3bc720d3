//! What the library and the program make, held against others: openssl, rustls, and the runtime itself. What the program says is in `../cmd/`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets the unexpected fails")]

mod files;
mod handshake;
mod launch;
mod openssl;
mod streams;

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use certs_tooling::{Ca, HostIdentity, KeyAlgorithm, Lifetime, PluginIdentity, Request};
use tempfile::TempDir;

/// A command line that runs the program in `directory`, or is killed after a minute with exit code 124 (timeout(1)).
fn certs_tooling(directory: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["60", env!("CARGO_BIN_EXE_certs-tooling")]).current_dir(directory);
    command
}

fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn ca(algorithm: KeyAlgorithm) -> Ca {
    Ca::new(&"A CA".parse().unwrap(), Lifetime::days(365).unwrap(), algorithm).unwrap()
}

/// Both ends, and who vouches for them.
struct Ends {
    ca: Ca,
    host: HostIdentity,
    plugin: PluginIdentity,
}

impl Ends {
    fn new(algorithm: KeyAlgorithm) -> Self {
        let ca = ca(algorithm);
        let request = Request::new("an end".parse().unwrap(), "localhost".parse().unwrap());
        let request = request.with_key_algorithm(algorithm);
        let host = HostIdentity::issue(&request, &ca).unwrap();
        let plugin = PluginIdentity::issue(&request, &ca).unwrap();
        Self { ca, host, plugin }
    }
}

#[track_caller]
fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// For a test whose peer is not there: says so and lets it pass, unless the peers are required.
fn skip(reason: &str) {
    let required = std::env::var_os("PORTCULLIS_REQUIRE_INTEROP").is_some_and(|value| value == "1");
    assert!(!required, "PORTCULLIS_REQUIRE_INTEROP=1, and {reason}");
    let name = thread::current().name().unwrap_or("a test").to_owned();
    // Not `eprint`, which the test runner keeps to itself when a test passes.
    let _ = io::stderr().write_all(format!("SKIPPED: {name}: {reason}\n").as_bytes());
}
