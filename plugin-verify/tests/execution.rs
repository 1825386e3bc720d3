//! Nothing is ever executed: the file that is checked would leave a trace.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Where a copy of this test finds this file, it is not a test but the program that must not run.
const MARKER: &str = "whoever-runs-here-leaves-a-trace";
const TRACE: &str = "trace";
/// With a slash: by this name it can be executed, too.
const PLUGIN: &str = "./plugin";

#[test]
fn neither_verdict_executes_the_file() {
    if Path::new(MARKER).exists() {
        return fs::write(TRACE, "I was executed").unwrap();
    }
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let directory = directory.path();
    fs::write(directory.join(MARKER), "").unwrap();
    fs::copy(std::env::current_exe().unwrap(), directory.join(PLUGIN)).unwrap();
    let trace = directory.join(TRACE);
    let run = |program: &str, arguments: &[&str]| -> Output {
        Command::new(program).args(arguments).current_dir(directory).output().unwrap()
    };
    let plugin_verify = env!("CARGO_BIN_EXE_plugin-verify");

    let line = String::from_utf8(run(plugin_verify, &["digest", PLUGIN]).stdout).unwrap();
    let right = line.split(' ').next().unwrap();
    let wrong = "0".repeat(64);
    for (digest, options, exit) in [
        (right, &[][..], 0),
        (right, &["--private-copy", "."], 0),
        (&wrong, &[], 1),
        (&wrong, &["--private-copy", "."], 1),
    ] {
        let output = run(plugin_verify, &[&["check", "--sha256", digest, PLUGIN], options].concat());
        assert_eq!(output.status.code(), Some(exit), "{output:?}");
        assert!(!trace.exists(), "the file was executed with exit {exit} and options {options:?}");
    }

    for options in [&["inspect"][..], &["inspect", "--json"]] {
        let output = run(plugin_verify, &[options, &[PLUGIN]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(!trace.exists(), "the file was executed by {options:?}");
    }

    run(directory.join(PLUGIN).to_str().unwrap(), &[]);
    assert!(trace.exists(), "the program leaves no trace, so nothing was proven");
}
