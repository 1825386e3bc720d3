//! `digest` is interchangeable with sha256sum(1), and reads what that reads.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader};
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
fn awkward_names_are_printed_like_sha256sum() {
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
fn stdin_is_read_once_to_its_end() {
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
fn digest_reads_fifo_to_its_end() {
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
fn file_larger_than_memory_is_digested() {
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
fn unreadable_file_does_not_stop_other_output() {
    let directory = directory();
    fs::write(directory.path().join("abc"), "abc").unwrap();
    // Opens, and cannot be read: nothing is mapped at address zero.
    let output = plugin_verify(directory.path(), "digest").args(["/proc/self/mem", "abc"]).output().unwrap();
    assert_eq!(stdout(&output), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  abc\n");
    assert!(stderr(&output).starts_with("plugin-verify: /proc/self/mem: "), "{output:?}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn name_in_a_warning_is_escaped() {
    let name = OsStr::from_bytes(b"\x1b[2J\xff\nabc: OK");
    let output = plugin_verify(directory().path(), "digest").arg(name).stdin(Stdio::null()).output().unwrap();
    assert_eq!(stderr(&output), "plugin-verify: \\u{1b}[2J\\xff\\nabc: OK: No such file or directory (os error 2)\n");
}

#[test]
fn files_are_printed_in_the_given_order() {
    let directory = directory();
    let names: Vec<String> = (0..200).rev().map(|number| format!("file-{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        // The first ones are the largest, so they are finished last.
        fs::write(directory.path().join(name), vec![7; 4_000_000 >> (number / 4).min(20)]).unwrap();
    }
    let theirs = sha256sum(directory.path(), &names).stdout;
    let ours = plugin_verify(directory.path(), "digest").args(&names).output().unwrap().stdout;
    assert_eq!(ours.escape_ascii().to_string(), theirs.escape_ascii().to_string());
}

#[test]
fn results_are_printed_before_later_input() {
    let directory = directory();
    fs::write(directory.path().join("abc"), "abc").unwrap();
    let mut child = plugin_verify(directory.path(), "digest")
        .args(["abc", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Standard input is still open, so this line could not wait for its end.
    assert!(lines.next().unwrap().unwrap().ends_with("  abc"));
    drop(child.stdin.take());
    assert!(lines.next().unwrap().unwrap().ends_with("  -"));
    assert!(child.wait().unwrap().success());
}

#[test]
fn closed_pipe_ends_before_stdin_is_read() {
    let directory = directory();
    fs::write(directory.path().join("abc"), "abc").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = plugin_verify(directory.path(), "digest");
    // Nobody ever writes to it, and it is not closed before the program has ended.
    let mut child = command.args(["abc", "-"]).stdin(Stdio::piped()).stdout(writer).spawn().unwrap();
    let open = child.stdin.take();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(open);
}

#[test]
fn progress_is_shown_only_on_a_terminal() {
    let directory = directory();
    assert!(Command::new("mkfifo").arg("fifo").current_dir(directory.path()).status().unwrap().success());
    let run = |redirection: &str| {
        // Opens when the program does, and then lets it wait for longer than a person is patient.
        let mut writer = Command::new("timeout")
            .args(["60", "sh", "-c", "exec >fifo; printf a; sleep 1; printf bc"])
            .current_dir(directory.path())
            .spawn()
            .unwrap();
        let digest = format!("{} digest fifo {redirection}", env!("CARGO_BIN_EXE_plugin-verify"));
        let output = Command::new("timeout")
            .args(["60", "script", "-qec", &digest, "/dev/null"])
            .stdin(Stdio::null())
            .current_dir(directory.path())
            .output()
            .unwrap();
        if output.status.code() == Some(127) {
            let _ = writer.kill();
        }
        let _ = writer.wait();
        output
    };
    let shown = run("");
    if shown.status.code() == Some(127) {
        return skipped("script(1), which makes a terminal, is not here");
    }
    let line = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  fifo\r\n";
    assert!(stdout(&shown).contains("3 B ") && stdout(&shown).contains(line), "{shown:?}");
    let hidden = run("2>errors");
    assert_eq!(stdout(&hidden), line);
    assert_eq!(fs::read_to_string(directory.path().join("errors")).unwrap(), "");
}
