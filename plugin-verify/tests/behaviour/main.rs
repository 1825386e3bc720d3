//! The program as a process: its verdicts, its streams, and machines that are not like this one.
//! The texts are in `../cmd/`.
#![expect(clippy::unwrap_used, reason = "a test that meets the unexpected fails")]

mod audit;
mod check;
mod digest;
mod doctor;
mod exec;
mod generated;
mod inspect;
mod json;
mod keys;
mod lock;
mod machine;
mod manifest;
#[cfg(feature = "report")]
mod report;
mod streams;
#[cfg(feature = "report")]
mod trail;

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A command line that runs the program in `directory`, or is killed after a minute with exit code
/// 124 (timeout(1)).
fn plugin_verify(directory: &Path, verb: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["60", env!("CARGO_BIN_EXE_plugin-verify"), verb]).current_dir(directory);
    command
}

/// A directory with a program in it that is named `plugin`, on a file system from which programs
/// run.
struct Fixture {
    directory: TempDir,
    plugin: PathBuf,
    sha256: String,
}

impl Fixture {
    fn new() -> Self {
        Self::named("plugin")
    }

    fn named(name: impl AsRef<OsStr>) -> Self {
        let directory = directory();
        let plugin = directory.path().join(name.as_ref());
        std::fs::copy(env!("CARGO_BIN_EXE_plugin-verify"), &plugin).unwrap();
        let sha256 = sha256(&plugin);
        Self { directory, plugin, sha256 }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// `plugin-verify check`, with the right digest of the program.
    fn check(&self) -> Command {
        let mut command = plugin_verify(self.path(), "check");
        command.args(["--sha256", &self.sha256]);
        command
    }
}

fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// The digest as sha256sum(1) computes it.
fn sha256(path: &Path) -> String {
    let stdin = std::fs::File::open(path).unwrap();
    let output = Command::new("sha256sum").stdin(stdin).output().unwrap();
    stdout(&output).split(' ').next().unwrap().to_owned()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Says on the real standard error, which the test harness does not hold back, that something was
/// not tested.
fn skipped(why: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "SKIPPED: {why}");
}
