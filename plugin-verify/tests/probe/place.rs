//! A place for one probe, and a look at what it left behind.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything takes that does not hang.
const LONG: Duration = Duration::from_secs(30);

static OWN_PATH: LazyLock<PathBuf> = LazyLock::new(|| std::env::current_exe().unwrap());

/// The digest as sha256sum(1) computes it.
pub(crate) static OWN_DIGEST: LazyLock<String> = LazyLock::new(|| {
    let output = Command::new("sha256sum").arg(&*OWN_PATH).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().trim_start_matches('\\').to_owned()
});

pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        // A socket's path is short, so not below the target directory.
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.temporary()).unwrap();
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn temporary(&self) -> PathBuf {
        self.path().join("t")
    }

    /// A probe of a fixture by its digest, killed after a minute with exit code 124 (timeout(1)).
    pub(crate) fn probe(&self, options: &[&str], fixture: &str) -> Command {
        self.probe_of(&OWN_DIGEST, options, fixture)
    }

    pub(crate) fn probe_of(&self, digest: &str, options: &[&str], fixture: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["60", env!("CARGO_BIN_EXE_plugin-verify"), "probe", "--sha256", digest]).args(options);
        command.arg(&*OWN_PATH).arg("--").arg(format!("fixture:{fixture}")).arg(self.path());
        command.env("TMPDIR", self.temporary()).current_dir(self.path());
        command
    }

    /// Runs a probe to its end, and makes sure that nothing is left of it.
    pub(crate) fn run(&self, options: &[&str], fixture: &str) -> Ran {
        let output = self.probe(options, fixture).output().unwrap();
        self.assert_nothing_is_left();
        Ran(output)
    }

    pub(crate) fn assert_nothing_is_left(&self) {
        eventually("the plugin's process is gone", || self.processes() == 0);
        eventually("its directory is removed", || fs::read_dir(self.temporary()).unwrap().count() == 0);
    }

    /// How many processes were started with this place as an argument and are no probe.
    pub(crate) fn processes(&self) -> usize {
        let place = self.path().as_os_str().as_bytes();
        let lines =
            fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
        let names_it = |line: &Vec<u8>| line.windows(place.len()).any(|part| part == place);
        lines.filter(|line| names_it(line) && !line.split(|byte| *byte == 0).any(|word| word == b"probe")).count()
    }
}

/// How a probe ended, and what it wrote.
pub(crate) struct Ran(pub(crate) Output);

impl Ran {
    #[track_caller]
    pub(crate) fn exits_with(self, code: i32) -> Self {
        assert_eq!(self.0.status.code(), Some(code), "{}\n{}", self.stdout(), self.stderr());
        self
    }

    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.0.stdout).unwrap()
    }

    pub(crate) fn stderr(&self) -> &str {
        std::str::from_utf8(&self.0.stderr).unwrap()
    }

    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(self.stdout()).unwrap()
    }
}

pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LONG, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
