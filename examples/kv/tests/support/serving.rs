//! A serving host as a process beside the test, callers of its socket, and the messages of an
//! upload.

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use kv::store_proto::store_client::StoreClient;
use kv::store_proto::write_request::Part;
use kv::store_proto::{Announcement, Commit, WriteRequest};
use rustix::process::{Pid, Signal};
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

use super::{LIMIT, Place, Ran, digest, our_host, our_plugin, run};

/// `kv-host serve` with our plugin. Dropping it kills the host.
pub(crate) struct Serving {
    child: Child,
    socket: PathBuf,
    stderr: PathBuf,
}

impl Serving {
    /// Starts a host, and waits until it serves.
    #[track_caller]
    pub(crate) fn start(place: &Place) -> Self {
        let serving = Self::spawn(place);
        serving.says("serving on");
        serving
    }

    /// Starts a host without waiting.
    pub(crate) fn spawn(place: &Place) -> Self {
        let socket = socket(place);
        let stderr = place.path().join("serve-stderr");
        let mut host = Self::command(place, &[]);
        host.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&stderr).unwrap());
        Self { child: host.spawn().unwrap(), socket, stderr }
    }

    /// The command that `start` runs, with more options.
    pub(crate) fn command(place: &Place, options: &[&str]) -> Command {
        let mut host = our_host(place, our_plugin(), digest(our_plugin()));
        host.arg("--report").args(options).args(["serve", "--socket"]).arg(socket(place));
        host
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// A command that calls this host.
    pub(crate) fn caller(&self) -> Command {
        caller(&self.socket)
    }

    /// Runs a command that calls this host.
    #[track_caller]
    pub(crate) fn call(&self, arguments: &[&str]) -> Ran {
        run(self.caller().args(arguments))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process id of the plugin.
    #[track_caller]
    pub(crate) fn plugin(&self) -> u32 {
        let said = self.says("process ");
        let line = said.lines().find_map(|line| line.strip_prefix("process ")).unwrap();
        line.trim().parse().unwrap()
    }

    /// Waits until its standard error contains these words, and returns all of it.
    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> String {
        says(&self.stderr, words)
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for its end. Returns its exit code, if it has one, and its standard error.
    #[track_caller]
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), fs::read_to_string(&self.stderr).unwrap());
            }
            assert!(Instant::now() < deadline, "the host did not exit");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The socket, in a private directory.
fn socket(place: &Place) -> PathBuf {
    let directory = place.path().join("run");
    if !directory.exists() {
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    }
    directory.join("socket")
}

/// A command that calls the host on `socket`.
pub(crate) fn caller(socket: &Path) -> Command {
    let mut caller = Command::new(env!("CARGO_BIN_EXE_kv-host"));
    caller.arg("--connect").arg(socket);
    caller
}

/// Waits until a file that a process writes contains these words, and returns all of it.
#[track_caller]
pub(crate) fn says(file: &Path, words: &str) -> String {
    let deadline = Instant::now() + LIMIT;
    loop {
        let said = fs::read_to_string(file).unwrap();
        if said.contains(words) {
            return said;
        }
        assert!(Instant::now() < deadline, "{words:?} is missing: {said}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[track_caller]
pub(crate) fn send(process: u32, signal: Signal) {
    let pid = Pid::from_raw(process.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// A client of the Store service on a new connection.
pub(crate) async fn client(socket: &Path) -> StoreClient<Channel> {
    let mut stream = Some(TokioIo::new(UnixStream::connect(socket).await.unwrap()));
    let once = tower::service_fn(move |_: Uri| {
        std::future::ready(stream.take().ok_or_else(|| std::io::Error::other("connected once")))
    });
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(once).await.unwrap();
    StoreClient::new(channel)
}

/// The peak memory of a process in KiB (VmHWM in proc(5)).
#[track_caller]
pub(crate) fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Reads all but the last `rest` bytes of `length`.
pub(crate) fn read_but(output: &mut impl Read, length: usize, rest: usize) -> Vec<u8> {
    let mut read = vec![0; length - rest];
    output.read_exact(&mut read).unwrap();
    read
}

fn part(part: Part) -> WriteRequest {
    WriteRequest { part: Some(part) }
}

pub(crate) fn announcement(key: &str, size: usize, expected_version: Option<u64>) -> WriteRequest {
    part(Part::Announcement(Announcement { key: key.into(), size: size as u64, expected_version }))
}

pub(crate) fn chunk(bytes: &[u8]) -> WriteRequest {
    part(Part::Chunk(bytes.to_vec().into()))
}

pub(crate) fn commit() -> WriteRequest {
    part(Part::Commit(Commit {}))
}
