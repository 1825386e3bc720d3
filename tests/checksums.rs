//! Checksum lists are interchangeable with sha256sum(1) and shasum(1), in both directions.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output};

use portcullis::verify::{Checksums, Digest};
use tempfile::TempDir;

const NAMES: [&[u8]; 14] = [
    b"plain",
    b"new\nline",
    b"back\\slash",
    b"\\n",
    b"trailing backslash\\",
    b"carriage\rreturn",
    b"invalid \xff UTF-8 \xc3(",
    b"  blanks  ",
    b"*asterisk",
    b" *both",
    b"#comment",
    b"SHA256 (plain) = ",
    b"\xff\n\\",
    b"-dash",
];

/// A directory with one file for each name, whose content is its name.
fn files(names: &[&[u8]]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in names {
        fs::write(directory.path().join(OsStr::from_bytes(name)), name).unwrap();
    }
    directory
}

/// Runs a program in `directory`, if it is installed.
fn run(directory: &Path, command: &[&str], names: &[&[u8]]) -> Option<Output> {
    let names = names.iter().map(|name| OsStr::from_bytes(name));
    match Command::new(command[0]).args(&command[1..]).arg("--").args(names).current_dir(directory).output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert!(std::env::var_os("PORTCULLIS_REQUIRE_INTEROP").is_none(), "{} does not run: {error}", command[0]);
            let _ = writeln!(std::io::stderr(), "SKIPPED: {} does not run here: {error}", command[0]);
            None
        }
    }
}

/// Checks that the output of a program for `names` parses to exactly those names.
fn parses(command: &[&str], names: &[&[u8]]) {
    let directory = files(names);
    let Some(output) = run(directory.path(), command, names) else { return };
    assert!(output.status.success(), "{output:?}");
    let list = directory.path().join("SUMS");
    fs::write(&list, output.stdout).unwrap();
    let list = Checksums::read(&list).unwrap();
    for name in names {
        assert_eq!(list.digest_for(OsStr::from_bytes(name)).unwrap(), Digest::of(name), "{}", name.escape_ascii());
    }
}

/// Checks that a program accepts our list of `names`.
fn is_accepted(command: &[&str], names: &[&[u8]]) {
    let directory = files(names);
    let lines: Vec<u8> = names.iter().flat_map(|name| Checksums::line(&Digest::of(name), name)).collect();
    fs::write(directory.path().join("SUMS"), lines).unwrap();
    let Some(output) = run(directory.path(), command, &[b"SUMS"]) else { return };
    assert!(output.status.success(), "{output:?}");
    let accepted = output.stdout.split(|byte| *byte == b'\n').filter(|line| line.ends_with(b": OK"));
    assert_eq!(accepted.count(), names.len(), "{output:?}");
}

/// The names without a carriage return, for which shasum has no escape.
fn without_carriage_return() -> Vec<&'static [u8]> {
    NAMES.into_iter().filter(|name| !name.contains(&b'\r')).collect()
}

#[test]
fn sha256sum_output_is_parsed() {
    parses(&["sha256sum"], &NAMES);
    parses(&["sha256sum", "--binary"], &NAMES);
}

#[test]
fn sha256sum_tagged_output_is_parsed() {
    parses(&["sha256sum", "--tag"], &NAMES);
}

#[test]
fn shasum_output_is_parsed() {
    parses(&["shasum", "-a", "256"], &NAMES);
    parses(&["shasum", "-a", "256", "--binary"], &NAMES);
}

#[test]
fn shasum_tagged_output_is_parsed() {
    parses(&["shasum", "-a", "256", "--tag"], &NAMES);
}

#[test]
fn shasum_digests_of_other_modes_are_rejected() {
    let names = &NAMES[..1];
    let directory = files(names);
    for mode in ["--UNIVERSAL", "--01"] {
        fs::write(directory.path().join("plain"), "0101").unwrap();
        let Some(output) = run(directory.path(), &["shasum", "-a", "256", mode], names) else { return };
        assert!(output.status.success(), "{output:?}");
        let list = directory.path().join("SUMS");
        fs::write(&list, output.stdout).unwrap();
        let error = Checksums::read(&list).unwrap_err().to_string();
        assert!(error.contains("of shasum does not hash the bytes of the file"), "{error}");
    }
}

#[test]
fn sha256sum_accepts_our_lists() {
    is_accepted(&["sha256sum", "--check", "--strict"], &NAMES);
}

#[test]
fn shasum_accepts_our_lists() {
    is_accepted(&["shasum", "--algorithm", "256", "--check", "--strict"], &without_carriage_return());
}
