//! Streams that are closed or full: no panic, and never a verdict that nobody could read.

use std::fs::File;
use std::io;
use std::process::{Command, Stdio};

use super::{Fixture, directory, plugin_verify, stderr};

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
fn digest_output_ends_quietly_on_closed_pipe() {
    let fixture = Fixture::new();
    // The second name is never reached: it would be complained about.
    let output =
        plugin_verify(fixture.path(), "digest").args(["plugin", "missing"]).stdout(closed_pipe()).output().unwrap();
    assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));
}

#[test]
fn closed_pipe_keeps_the_verdict() {
    let fixture = Fixture::new();
    let verified = fixture.check().arg("plugin").stdout(closed_pipe()).output().unwrap();
    assert_eq!((stderr(&verified), verified.status.code()), ("", Some(0)));

    std::fs::write(&fixture.plugin, "tampered").unwrap();
    let refused = fixture.check().arg("plugin").stdout(closed_pipe()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}

#[test]
fn help_ends_quietly_on_closed_pipe() {
    let output = plugin_verify(directory().path(), "--help").stdout(closed_pipe()).output().unwrap();
    assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));
}

#[test]
fn lost_output_is_a_failure() {
    let fixture = Fixture::new();
    let lost = "plugin-verify: standard output: No space left on device (os error 28)\n";
    for mut command in [fixture.check(), plugin_verify(fixture.path(), "digest")] {
        let output = command.arg("plugin").stdout(full()).output().unwrap();
        assert_eq!((stderr(&output), output.status.code()), (lost, Some(2)), "{command:?}");
    }
}

#[test]
fn complaints_that_are_lost_change_no_exit_code() {
    let fixture = Fixture::new();
    let exit =
        |command: &mut Command, file: &str, stream: Stdio| command.arg(file).stderr(stream).status().unwrap().code();
    for stream in [closed_pipe, full] {
        assert_eq!(exit(&mut fixture.check(), "missing", stream()), Some(2));
        assert_eq!(exit(&mut plugin_verify(fixture.path(), "digest"), "missing", stream()), Some(2));
        assert_eq!(exit(&mut plugin_verify(fixture.path(), "check"), "plugin", stream()), Some(2), "a usage error");
    }
}

#[test]
fn usage_error_escapes_the_command_line() {
    let hostile = "--\u{1b}[2J\nplugin: OK";
    for arguments in [&[hostile][..], &["-", hostile], &["--", "a", hostile]] {
        for verb in ["digest", "check", "\u{1b}[2J\nplugin: OK"] {
            let output = plugin_verify(directory().path(), verb).args(arguments).stdin(Stdio::null()).output().unwrap();
            assert_eq!(output.status.code(), Some(2));
            assert!(!stderr(&output).contains('\u{1b}'), "{}", stderr(&output).escape_debug());
            assert!(!stderr(&output).contains("\nplugin: OK"), "{}", stderr(&output));
        }
    }
}
