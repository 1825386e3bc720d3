//! What the library and the program make, held against others: openssl, Go, rustls, and the runtime
//! itself. What the program says is in `../cmd/`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets the unexpected fails")]

mod files;
mod go;
mod handshake;
mod launch;
mod openssl;
mod streams;

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

use certs_tooling::{Ca, Certificate, HostIdentity, Inspection, KeyAlgorithm, Lifetime, PluginIdentity, Request};
use tempfile::TempDir;
use x509_parser::certificate::X509Certificate;

/// A command line that runs the program in `directory`, or is killed after a minute with exit code
/// 124 (timeout(1)).
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

/// All that two certificates of one profile have in common.
fn profile(certificate: &Certificate) -> String {
    let mut seen = Inspection::of(certificate).unwrap();
    let lifetime = seen.not_after - seen.not_before;
    // The rest is new in each.
    let fresh = [seen.fingerprint.to_string(), seen.key_fingerprint.to_string(), seen.serial.clone()];
    (seen.not_after, seen.not_before) = (seen.not_before, seen.not_before);
    let dates = seen.not_before();
    let mut text = format!("{seen}  lifetime     {lifetime}\n");
    for value in fresh.iter().chain([&dates]) {
        text = text.replace(value.as_str(), "…");
    }
    text
}

fn x509(certificate: &Certificate) -> X509Certificate<'_> {
    x509_parser::parse_x509_certificate(certificate.der()).unwrap().1
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
