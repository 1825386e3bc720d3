//! The shell lines of README.md, run in their order in one directory, with the programs of this
//! build on PATH. (Its blocks of Rust are doctests of the library `kv`.)
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines that take minutes, and build or test everything: the gate runs them instead.
const RUN_BY_THE_GATE: [&str; 3] =
    ["cargo demo", "cargo test --workspace", "cargo build --package kv --package plugin-verify"];

/// Ends with 1 on a machine that cannot give every guarantee.
const DEPENDS_ON_THE_MACHINE: &str = "plugin-verify doctor";

#[test]
fn readme_shell_lines_run_in_order() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("target")).unwrap();
    symlink(programs(), place.path().join("target/debug")).unwrap();
    let lines = shell_lines();
    let script: Vec<_> = lines.iter().filter(|line| !RUN_BY_THE_GATE.contains(&line.as_str())).map(step).collect();
    assert!(script.len() >= 10, "README.md has only {} lines to run", script.len());
    let output = Command::new("bash")
        .args(["-euc", &script.join("\n")])
        .env("TMPDIR", place.path())
        .current_dir(place.path())
        .output()
        .unwrap();
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}\n{said}\nfailed: the last line after `$`, with {}", output.status);
    assert!(printed.contains("\nhello"), "the value that was put is not printed: {printed}");
}

#[test]
fn gate_runs_the_long_lines() {
    let gate = fs::read_to_string(root().join(".ci/run")).unwrap();
    let lines = shell_lines();
    for long in RUN_BY_THE_GATE {
        assert!(lines.iter().any(|line| line == long), "README.md no longer has `{long}`");
        assert!(gate.lines().any(|line| line.trim().starts_with(long)), ".ci/run does not run `{long}`");
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The directory with the programs of this build.
fn programs() -> PathBuf {
    let directory = Path::new(env!("CARGO_BIN_EXE_kv-host")).parent().unwrap();
    let verifier = directory.join("plugin-verify");
    assert!(verifier.exists(), "{} is missing: run `cargo build --package plugin-verify`", verifier.display());
    directory.to_path_buf()
}

/// The lines after `$` in the blocks of shell, without their comments.
fn shell_lines() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut lines = Vec::new();
    let mut in_block = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            in_block = !in_block && ["```console", "```sh"].contains(&line);
        } else if let Some(line) = line.strip_prefix("$ ").filter(|_| in_block) {
            lines.push(line.split(" #").next().unwrap().trim().to_string());
        }
    }
    lines
}

fn step(line: &String) -> String {
    let shown = line.replace('\'', "'\\''");
    let run = if line == DEPENDS_ON_THE_MACHINE { format!("{line} || [ $? = 1 ]") } else { line.clone() };
    format!("echo '$ {shown}'\n{run}\n")
}
