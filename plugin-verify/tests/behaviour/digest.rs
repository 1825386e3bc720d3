//! `digest` is interchangeable with sha256sum(1), and reads what that reads.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::{directory, plugin_verify, skipped, stderr, stdout};

/// Names that are awkward to print, each with a file of its own content.
fn awkward() -> (TempDir, Vec<OsString>) {
    let mut names: Vec<&[u8]> = vec![
        b"plain",
        b"new\nline",
        b"back\\slash",
        b"\\n",
        b"trailing backslash\\",
        b"ESC \x1b[31m",
        b"invalid \xff UTF-8 \xc3(",
        b"  blanks  ",
        b"-dash",
        b"--option",
        b"\xff\n\\",
        b"*asterisk",
        b"#comment",
        "žluťoučký".as_bytes(),
    ];
    let longest = [b'x'; 255];
    names.push(&longest);
    if escapes_carriage_returns() {
        names.push(b"carriage\rreturn");
    } else {
        skipped("this sha256sum does not escape carriage returns, as newer ones do");
    }
    let directory = directory();
    for name in &names {
        fs::write(directory.path().join(OsStr::from_bytes(name)), name).unwrap();
    }
    fs::write(directory.path().join("empty"), "").unwrap();
    let mut names: Vec<_> = names.into_iter().map(|name| OsStr::from_bytes(name).to_owned()).collect();
    names.push("empty".into());
    (directory, names)
}

fn escapes_carriage_returns() -> bool {
    let directory = directory();
    fs::write(directory.path().join("\r"), "").unwrap();
    sha256sum(directory.path(), &["\r"]).stdout.starts_with(b"\\")
}

fn sha256sum<A: AsRef<OsStr>>(directory: &Path, arguments: &[A]) -> Output {
    Command::new("sha256sum").args(arguments).current_dir(directory).output().unwrap()
}

#[test]
fn awkward_names_are_printed_byte_for_byte_as_sha256sum_prints_them() {
    let (directory, names) = awkward();
    for name in names {
        let theirs = sha256sum(directory.path(), &[OsStr::new("--"), &name]).stdout;
        let ours = plugin_verify(directory.path(), "digest").arg("--").arg(&name).output().unwrap().stdout;
        assert!(!theirs.is_empty());
        assert_eq!(ours.escape_ascii().to_string(), theirs.escape_ascii().to_string());
    }
}

#[test]
fn sha256sum_accepts_what_is_printed() {
    let (directory, names) = awkward();
    let sums = fs::File::create(directory.path().join("SUMS")).unwrap();
    let status = plugin_verify(directory.path(), "digest").arg("--").args(&names).stdout(sums).status().unwrap();
    assert_eq!(status.code(), Some(0));

    let accepted = sha256sum(directory.path(), &["--check", "--strict", "SUMS"]);
    assert!(accepted.status.success(), "{accepted:?}");
    assert_eq!(
        accepted.stdout.split(|byte| *byte == b'\n').filter(|line| line.ends_with(b": OK")).count(),
        names.len()
    );
}

#[test]
fn standard_input_is_read_to_its_end_and_is_empty_afterwards() {
    let directory = directory();
    fs::write(directory.path().join("input"), "some input\n").unwrap();
    let with_input = |mut command: Command| {
        let input = fs::File::open(directory.path().join("input")).unwrap();
        command.args(["-", "-"]).stdin(input).output().unwrap().stdout
    };
    let theirs = with_input(Command::new("sha256sum"));
    assert_eq!(with_input(plugin_verify(directory.path(), "digest")), theirs);
}

#[test]
fn a_fifo_is_read_to_its_end() {
    let directory = directory();
    assert!(Command::new("mkfifo").arg("fifo").current_dir(directory.path()).status().unwrap().success());
    let mut writer = Command::new("timeout")
        .args(["60", "sh", "-c", "printf abc >fifo"])
        .current_dir(directory.path())
        .spawn()
        .unwrap();
    let output = plugin_verify(directory.path(), "digest").arg("fifo").output().unwrap();
    assert_eq!(stdout(&output), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  fifo\n");
    assert!(writer.wait().unwrap().success());
}

#[test]
fn a_file_larger_than_the_memory_is_read() {
    let directory = directory();
    fs::File::create(directory.path().join("large")).unwrap().set_len(256 << 20).unwrap();
    // 64 MiB of address space for a file of 256 MiB.
    let limited = Command::new("sh")
        .args(["-c", r#"ulimit -v 65536 && exec "$0" digest large"#, env!("CARGO_BIN_EXE_plugin-verify")])
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert_eq!(limited.stdout, sha256sum(directory.path(), &["large"]).stdout, "{}", stderr(&limited));
}

#[test]
fn a_file_that_cannot_be_read_does_not_keep_the_others_from_being_printed() {
    let directory = directory();
    fs::write(directory.path().join("abc"), "abc").unwrap();
    // Opens, and cannot be read: nothing is mapped at address zero.
    let output = plugin_verify(directory.path(), "digest").args(["/proc/self/mem", "abc"]).output().unwrap();
    assert_eq!(stdout(&output), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  abc\n");
    assert!(stderr(&output).starts_with("plugin-verify: /proc/self/mem: "), "{output:?}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_name_in_a_complaint_cannot_reach_the_terminal() {
    let name = OsStr::from_bytes(b"\x1b[2J\xff\nabc: OK");
    let output = plugin_verify(directory().path(), "digest").arg(name).stdin(Stdio::null()).output().unwrap();
    assert_eq!(stderr(&output), "plugin-verify: \\u{1b}[2J\\xff\\nabc: OK: No such file or directory (os error 2)\n");
}
