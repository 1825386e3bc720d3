//! Shared by the tests: launching a fixture, and observing processes, descriptors and directories
//! from outside.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use portcullis::host::{Environment, LaunchBuilder, LaunchParameters, Plugin, StartError, StartFault};
use portcullis::verify::VerifiedPlugin;
use portcullis::{Digest, Error, Policy, Protocol};
use tempfile::TempDir;

/// Longer than any step takes unless it hangs.
pub const LONG: Duration = Duration::from_secs(30);

pub static OWN_PATH: LazyLock<PathBuf> = LazyLock::new(|| std::env::current_exe().unwrap());

pub static OWN_DIGEST: LazyLock<Digest> =
    LazyLock::new(|| Digest::read(std::fs::File::open(&*OWN_PATH).unwrap()).unwrap());

/// One policy for all cases, so that this large binary is copied and hashed once.
static POLICY: LazyLock<Policy> = LazyLock::new(|| Policy::new().allow(*OWN_DIGEST));

pub fn verified() -> VerifiedPlugin {
    POLICY.verify(&*OWN_PATH).unwrap()
}

/// A runtime directory of one test.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::Builder::new().prefix("p").tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The number of private directories in it.
    pub fn directories(&self) -> usize {
        let entries = std::fs::read_dir(self.path()).unwrap().map(Result::unwrap);
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("portcullis-")).count()
    }

    /// The launch of a fixture with its private directory in this one.
    pub fn fixture(&self, arguments: &[&str]) -> LaunchBuilder<LaunchParameters> {
        self.fixture_of(verified(), arguments)
    }

    pub fn fixture_of(&self, plugin: VerifiedPlugin, arguments: &[&str]) -> LaunchBuilder<LaunchParameters> {
        Plugin::builder(plugin)
            .with_protocol(protocol())
            .with_environment(Environment::empty())
            .with_runtime_directory(self.path())
            .with_start_timeout(LONG)
            .args(fixture(arguments))
    }

    /// The error of a launch that must fail. Checks that it leaves nothing behind.
    pub fn refused(&self, launch: LaunchBuilder<LaunchParameters>) -> Box<StartError> {
        match run(launch.launch()) {
            Err(Error::Start(error)) => {
                eventually("the private directory is removed", || self.directories() == 0);
                error
            }
            other => panic!("expected a failed start, got {other:?}"),
        }
    }

    /// The fault of a fixture that must not start.
    pub fn fault(&self, arguments: &[&str]) -> StartFault {
        self.refused(self.fixture(arguments)).fault
    }
}

pub fn fixture(arguments: &[&str]) -> Vec<String> {
    let (name, rest) = arguments.split_first().unwrap();
    [format!("fixture:{name}")].into_iter().chain(rest.iter().map(ToString::to_string)).collect()
}

pub fn protocol() -> Protocol {
    Protocol::new("BASIC_PLUGIN", "hello", 1)
}

/// Runs a future in a new runtime. Panics if it takes too long.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(2 * LONG, work).await.expect("timed out") })
}

/// Waits until `condition` holds. Panics if it takes too long.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < LONG, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process exists and is not a zombie.
pub fn is_alive(pid: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The state follows the name, which is in parentheses and may contain any byte (proc(5)).
    !matches!(status.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next()), Some('Z' | 'X') | None)
}

/// A number that a fixture wrote to a file.
pub fn number_in(path: &Path) -> u32 {
    let read = || std::fs::read_to_string(path).ok().and_then(|text| text.strip_suffix('\n')?.parse().ok());
    eventually("the fixture writes its file", || read().is_some());
    read().unwrap()
}

pub fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}
