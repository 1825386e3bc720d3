//! Streams that are closed, full or hostile: no panic, and nothing that a terminal would obey.

use std::fs::File;
use std::io;
use std::process::{Command, Stdio};

use super::{certs_tooling, directory, stderr, stdout};

/// A pipe that nobody reads any more.
fn closed_pipe() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn lost_output_is_a_failure() {
    let lost = "certs-tooling: standard output: No space left on device (os error 28)\n";
    let place = directory();
    let exit = |command: &mut Command| {
        let output = command.output().unwrap();
        (stderr(&output).to_owned(), output.status.code())
    };
    for json in [&["--json"][..], &[]] {
        let mut command = certs_tooling(place.path());
        command.arg("auto-mtls").args(json);
        assert_eq!(exit(command.stdout(full())), (lost.to_owned(), Some(2)));
        assert_eq!(exit(command.stdout(closed_pipe())), (String::new(), Some(0)));
    }
}

#[test]
fn usage_error_escapes_the_command_line() {
    let hostile = "\u{1b}[2J\nca.pem: OK";
    for arguments in
        [&[hostile][..], &["inspect", &format!("--{hostile}")], &["ca", "new", "--name", hostile, "--out", "x"]]
    {
        let output = certs_tooling(directory().path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = format!("{}{}", stdout(&output), stderr(&output));
        assert!(!said.contains('\u{1b}') && !said.contains("\nca.pem: OK"), "{}", said.escape_debug());
    }
}

#[test]
fn standard_input_without_an_end_is_refused() {
    let zeros = File::open("/dev/zero").unwrap();
    let output = certs_tooling(directory().path()).args(["inspect", "-"]).stdin(zeros).output().unwrap();
    let refused = ("certs-tooling: standard input: more than 1048576 bytes\n", Some(2));
    assert_eq!((stderr(&output), output.status.code()), refused);
}
