//! Shared by the tests: directories, programs that run within a time limit, and checks for
//! leftovers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use portcullis::Digest;
use tempfile::TempDir;

pub(crate) mod files;
pub(crate) mod library;
pub(crate) mod publisher;
pub(crate) mod serving;

/// The time limit of a program or a call, far more than any needs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// The time that the kernel gets to end a killed process.
const END: Duration = Duration::from_secs(1);

/// The plugin of the example.
pub(crate) fn our_plugin() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_kv-plugin"))
}

/// The host of the example, which runs `plugin` if its digest is `sha256`.
pub(crate) fn our_host(place: &Place, plugin: &Path, sha256: Digest) -> Command {
    let mut host = our_host_of(place, plugin);
    host.arg("--sha256").arg(sha256.to_string());
    host
}

/// The host of the example, without a trust source for `plugin`.
pub(crate) fn our_host_of(place: &Place, plugin: &Path) -> Command {
    let mut host = Command::new(env!("CARGO_BIN_EXE_kv-host"));
    host.env("TMPDIR", place.temporary()).current_dir(place.path());
    host.arg("--plugin").arg(plugin).arg("--data").arg(place.data());
    host
}

pub(crate) fn digest(path: &Path) -> Digest {
    Digest::read(File::open(path).unwrap()).unwrap()
}

/// A digest that no file has.
pub(crate) fn wrong_digest() -> Digest {
    Digest::from([7; Digest::LENGTH])
}

/// Bytes without a pattern, which are not UTF-8.
pub(crate) fn binary(length: usize) -> Vec<u8> {
    (0..length).map(|index| ((index * 7919) >> 3) as u8).collect()
}

/// The directory of the workspace.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// The directories of one test, removed when it ends.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.temporary()).unwrap();
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The data directory. The host creates it.
    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    /// The directory for `TMPDIR`, empty at first.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.path().join("tmp")
    }

    /// Whether our plugin ran here: it opens its store first.
    pub(crate) fn has_a_store(&self) -> bool {
        self.data().join("kv.redb").exists()
    }

    #[track_caller]
    pub(crate) fn assert_nothing_is_left(&self) {
        self.assert_no_process_is_left();
        assert_eq!(names(&self.temporary()), [""; 0], "left in TMPDIR");
    }

    /// The command line of a plugin names its data directory, which is in this place.
    #[track_caller]
    pub(crate) fn assert_no_process_is_left(&self) {
        let deadline = Instant::now() + END;
        loop {
            let left = processes_that_name(self.path());
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left running: {left:#?}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn processes_that_name(path: &Path) -> Vec<String> {
    let name = path.as_os_str().as_bytes();
    let entries = fs::read_dir("/proc").unwrap();
    // A process may exit before its command line is read.
    let lines = entries.filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    let naming = lines.filter(|line| line.windows(name.len()).any(|part| part == name));
    naming.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

/// The exit status and the output of a program.
pub(crate) struct Ran {
    command: String,
    code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Runs a program to its end without input.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ran {
    run_with_input(command, b"")
}

/// Runs a program to its end with `input` on its standard input.
#[track_caller]
pub(crate) fn run_with_input(command: &mut Command, input: &[u8]) -> Ran {
    let ran = try_run(command, input, LIMIT);
    ran.unwrap_or_else(|error| panic!("{command:?} could not be run: {error}"))
}

/// Runs a program, and panics if it takes longer than `limit`. Returns an error if it cannot start.
///
/// The three streams are files: no thread must read them, and a process that the program left
/// behind cannot keep one open.
#[track_caller]
pub(crate) fn try_run(command: &mut Command, input: &[u8], limit: Duration) -> io::Result<Ran> {
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(holding(input)?).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let deadline = Instant::now() + limit;
    let mut child = command.spawn()?;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            None if Instant::now() >= deadline => break None,
            None => thread::sleep(Duration::from_millis(2)),
        }
    };
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let ran = Ran {
        command: format!("{command:?}"),
        code: status.and_then(|status| status.code()),
        stdout: contents(&mut stdout)?,
        stderr: String::from_utf8_lossy(&contents(&mut stderr)?).into_owned(),
    };
    assert!(status.is_some(), "killed after {limit:?}: {ran}");
    Ok(ran)
}

fn holding(input: &[u8]) -> io::Result<Stdio> {
    let mut file = tempfile::tempfile()?;
    file.write_all(input)?;
    file.rewind()?;
    Ok(file.into())
}

fn contents(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Ran {
    pub(crate) fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    #[track_caller]
    pub(crate) fn exits_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    #[track_caller]
    pub(crate) fn prints(self, expected: impl AsRef<[u8]>) -> Self {
        // Not `assert_eq`, which would print several MiB.
        assert!(self.stdout == expected.as_ref(), "unexpected output on stdout: {self}");
        self
    }

    /// Checks that standard error contains all of these words.
    #[track_caller]
    pub(crate) fn explains(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is missing on stderr: {self}");
        }
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = String::from_utf8_lossy(&self.stdout[..self.stdout.len().min(1000)]);
        writeln!(f, "{}\nexit code: {:?}", self.command, self.code)?;
        writeln!(f, "stdout ({} bytes): {start}\nstderr: {}", self.stdout.len(), self.stderr)
    }
}

/// Reports that the peer of a test is missing. Panics if peers are required.
pub(crate) fn skip(reason: &str) {
    let required = std::env::var_os("PORTCULLIS_REQUIRE_INTEROP").is_some_and(|value| value == "1");
    assert!(!required, "PORTCULLIS_REQUIRE_INTEROP=1, and {reason}");
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("SKIPPED: {name}: {}\n", reason.trim_end());
    // Not `eprint`, which the test runner captures if the test passes. One write, because tests run
    // concurrently.
    let _ = io::stderr().write_all(line.as_bytes());
}
