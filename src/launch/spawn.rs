//! What is started and how: the arguments, the standard streams, and the steps from a new process
//! to the plugin. Does not know the protocol.

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions};

use super::child::{Child, Resources};
use super::error::{LaunchError, Step};
use super::{Hardening, Running};
use crate::environment::Block;
use crate::fs::PrivateDirectory;
use crate::sys::{self, ExecVectors};
use crate::verify::{ExecMode, VerifiedPlugin};

/// A private copy can be busy for a moment, because a process that was forked elsewhere in this
/// program at the wrong time holds the descriptor that the copy was written through until it
/// executes something.
const BUSY_RETRIES: u32 = 200;
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// What the plugin reads from its standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Stdin {
    /// Nothing: `/dev/null`.
    #[default]
    Null,
    /// The host's own.
    Inherit,
}

/// One start of one plugin.
#[derive(Debug)]
pub(crate) struct SpawnSpec {
    pub(crate) plugin: VerifiedPlugin,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Block,
    pub(crate) working_directory: PathBuf,
    pub(crate) stdin: Stdin,
    pub(crate) directory: PrivateDirectory,
}

impl SpawnSpec {
    /// Starts the process. To be called on the launcher thread only
    /// ([`on_launcher`](super::on_launcher)).
    pub(crate) fn spawn(self) -> Result<Running, LaunchError> {
        if sys::ignores_children().map_err(LaunchError::start(Step::Prepare))? {
            return Err(LaunchError::SigchldIgnored);
        }
        self.plugin.image.make_execute_only().map_err(LaunchError::start(Step::Prepare))?;
        let (streams, stdout, stderr) = Streams::open(self.stdin).map_err(LaunchError::start(Step::Prepare))?;
        let names = self.environment.names;
        let vectors = ExecVectors::new(c_strings(self.arguments)?, self.environment.strings);
        let start = Start::prepare(&self.plugin.image.file, vectors, streams, self.working_directory)?;
        let (pid, pidfd) = start.patiently(self.plugin.mode())?;
        let child = Child::new(pid, pidfd, Resources { plugin: self.plugin, directory: self.directory });
        let hardening = Hardening::taken(self.stdin, &child);
        Ok(Running { child, stdout, stderr, names, hardening })
    }
}

/// A socket pair for one output stream: the host's end reads, the plugin's end writes.
///
/// Not a pipe, because `/proc/PID/fd` lets other processes of the same user open a pipe for
/// writing, and a socket not.
fn output() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.shutdown(Shutdown::Write)?;
    Ok((ours, above_standard(theirs)?))
}

/// The same file under a number that none of the plugin's three streams is put over: a host may run
/// without some of its own.
fn above_standard(descriptor: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(descriptor, 3)?)
}

fn c_strings(arguments: Vec<OsString>) -> Result<Vec<CString>, LaunchError> {
    let to_c = |(index, argument): (usize, OsString)| {
        CString::new(argument.into_vec()).map_err(|_| LaunchError::Argument { index })
    };
    arguments.into_iter().enumerate().map(to_c).collect()
}

/// What the plugin has for standard streams; no input means the host's own.
struct Streams {
    stdin: Option<OwnedFd>,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl Streams {
    /// With the host's ends of the plugin's standard output and error.
    fn open(stdin: Stdin) -> io::Result<(Self, UnixStream, UnixStream)> {
        let stdin = match stdin {
            Stdin::Null => Some(above_standard(File::open("/dev/null")?)?),
            Stdin::Inherit => None,
        };
        let ((out, stdout), (err, stderr)) = (output()?, output()?);
        Ok((Self { stdin, stdout, stderr }, out, err))
    }
}

/// The steps from a new process to the plugin, with everything that they need: nothing may be
/// allocated there.
struct Start {
    program: OwnedFd,
    /// The same file, for kernels without execveat.
    program_path: CString,
    vectors: ExecVectors,
    streams: Streams,
    working_directory: CString,
    host: Option<Pid>,
}

/// A step that failed in the new process, and why.
type Failure = (Step, io::Error);

impl Start {
    fn prepare(
        program: &File,
        vectors: ExecVectors,
        streams: Streams,
        working_directory: PathBuf,
    ) -> Result<Self, LaunchError> {
        let program = above_standard(program).map_err(LaunchError::start(Step::Prepare))?;
        let working_directory = CString::new(working_directory.into_os_string().into_vec())
            .map_err(|error| LaunchError::start(Step::WorkingDirectory)(error.into()))?;
        Ok(Self {
            program_path: CString::new(format!("/proc/self/fd/{}", program.as_raw_fd())).unwrap_or_default(),
            program,
            vectors,
            streams,
            working_directory,
            host: Some(rustix::process::getpid()),
        })
    }

    fn patiently(&self, mode: ExecMode) -> Result<(Pid, OwnedFd), LaunchError> {
        let mut retries = if mode == ExecMode::PrivateCopy { BUSY_RETRIES } else { 0 };
        loop {
            match self.once() {
                Err((Step::Execute, source)) if source.kind() == io::ErrorKind::ExecutableFileBusy && retries > 0 => {
                    retries -= 1;
                    std::thread::sleep(BUSY_PAUSE);
                }
                started => return started.map_err(|(step, source)| LaunchError::Start { step, source }),
            }
        }
    }

    /// Starts a process, and returns when it is the plugin.
    fn once(&self) -> Result<(Pid, OwnedFd), Failure> {
        let prepare = |error| (Step::Prepare, error);
        let mut failure = None;
        // Here, because the new process shares this one's memory until it is another program: a
        // handler of the host must not run in it.
        let blocked = sys::block_signals(u64::MAX).map_err(prepare)?;
        let started = sys::start_process(&mut || failure = self.become_plugin().err());
        // Must not lose the process that may be there by now; and this thread needs no signals.
        let _ = sys::block_signals(blocked);
        let (pid, pidfd) = started.map_err(prepare)?;
        if let Some(failure) = failure {
            // It has ended; this only takes note of it. Somebody else in this program may have done
            // so already.
            let _ = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            return Err(failure);
        }
        Ok((pid, pidfd))
    }

    /// Runs in the new process.
    fn become_plugin(&self) -> Result<Infallible, Failure> {
        self.take_streams()?;
        at(Step::WorkingDirectory, rustix::process::chdir(&*self.working_directory))?;
        at(Step::Session, rustix::process::setsid())?;
        at(Step::ParentDeath, rustix::process::set_parent_process_death_signal(Some(Signal::KILL)))?;
        // The host may have died before the line above; then nobody would ever send the signal.
        if rustix::process::getppid() != self.host {
            return at(Step::ParentDeath, Err(Errno::SRCH));
        }
        at(Step::NoNewPrivileges, rustix::thread::set_no_new_privs(true))?;
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        at(Step::CoreLimit, rustix::process::setrlimit(Resource::Core, none))?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        // What the host ignores, handles or blocks is no business of the plugin.
        (1..=64).for_each(sys::default_action);
        sys::block_signals(0).map_err(|error| (Step::Prepare, error))?;
        sys::close_on_exec_from(3).map_err(|error| (Step::Descriptors, error))?;
        let program = self.program.as_raw_fd();
        let mut error = sys::execute(program, &self.vectors);
        if error.raw_os_error() == Some(libc::ENOSYS) {
            error = sys::execute_path(&self.program_path, &self.vectors);
        }
        Err((Step::Execute, error))
    }

    fn take_streams(&self) -> Result<(), Failure> {
        if let Some(stdin) = &self.streams.stdin {
            at(Step::Prepare, rustix::stdio::dup2_stdin(stdin))?;
        }
        at(Step::Prepare, rustix::stdio::dup2_stdout(&self.streams.stdout))?;
        at(Step::Prepare, rustix::stdio::dup2_stderr(&self.streams.stderr))
    }
}

fn at<T>(step: Step, result: rustix::io::Result<T>) -> Result<T, Failure> {
    result.map_err(|error| (step, error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_move_above_standard_streams() {
        for standard in [std::io::stdin().as_fd(), std::io::stdout().as_fd(), std::io::stderr().as_fd()] {
            assert!(above_standard(standard).unwrap().as_raw_fd() > 2);
        }
    }
}
