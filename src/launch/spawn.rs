//! Starts the plugin's process: arguments, standard streams, and the steps between clone(2) and
//! execveat(2). Does not know the protocol.

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::Receiver;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions};

use super::Hardening;
use super::child::{Child, Resources};
use super::error::{LaunchError, Step};
use crate::environment::Block;
use crate::exec::{Executable, retry_while_busy};
use crate::fs::PrivateDirectory;
use crate::sys::{self, ExecVectors};
use crate::verify::{ExecMode, VerifiedPlugin};
use crate::worker::Worker;

/// The thread that starts every plugin.
///
/// The kernel sends the parent-death signal when the *thread* that started a process ends (prctl(2)
/// `PR_SET_PDEATHSIG`). A thread of an asynchronous runtime may end long before the host, and would
/// take its plugins with it. This thread lives as long as the host.
static LAUNCHER: Worker<LauncherTask> = Worker::new("portcullis-launcher", run_tasks);

type LauncherTask = Box<dyn FnOnce() + Send>;

/// Runs `task` on the launcher thread. Tasks run one after the other.
///
/// # Errors
///
/// When the thread cannot be started or reached. Then `task` does not run.
pub(crate) fn on_launcher(task: impl FnOnce() + Send + 'static) -> Result<(), LaunchError> {
    LAUNCHER.send(Box::new(task)).map_err(LaunchError::start(Step::Launcher))
}

fn run_tasks(tasks: &Receiver<LauncherTask>) {
    for task in tasks {
        // A panic must not end the thread: that would kill every plugin.
        drop(catch_unwind(AssertUnwindSafe(task)));
    }
}

/// A plugin's process with its streams.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdout: UnixStream,
    pub(crate) stderr: UnixStream,
    /// The names of the variables in its environment. Values may be secret.
    pub(crate) names: Vec<OsString>,
    pub(crate) hardening: Vec<Hardening>,
}

/// The standard input of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Stdin {
    /// `/dev/null`.
    #[default]
    Null,
    /// The host's own.
    Inherit,
}

/// Everything that starting one process takes.
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
    /// Starts the process. Call it on the launcher thread only ([`on_launcher`]).
    pub(crate) fn spawn(self) -> Result<Running, LaunchError> {
        if sys::ignores_children().map_err(LaunchError::start(Step::Prepare))? {
            return Err(LaunchError::SigchldIgnored);
        }
        self.plugin.image.make_execute_only().map_err(LaunchError::start(Step::Prepare))?;
        let (streams, stdout, stderr) = StandardStreams::open(self.stdin).map_err(LaunchError::start(Step::Prepare))?;
        let names = self.environment.names;
        let vectors = ExecVectors::new(c_strings(self.arguments)?, self.environment.strings);
        let setup = ChildSetup::prepare(&self.plugin.image.file, vectors, streams, self.working_directory)?;
        let (pid, pidfd) = setup.spawn(self.plugin.mode())?;
        let child = Child::new(pid, pidfd, Resources { plugin: self.plugin, directory: self.directory });
        let hardening = Hardening::applied(self.stdin, &child);
        Ok(Running { child, stdout, stderr, names, hardening })
    }
}

/// A socket pair for one output stream: the host's end reads, the plugin's end writes.
///
/// Not a pipe: other processes of the same user can open a pipe for writing through `/proc/PID/fd`,
/// and cannot open a socket there (proc_pid_fd(5)).
fn output_stream() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.shutdown(Shutdown::Write)?;
    Ok((ours, above_standard(theirs)?))
}

/// Duplicates a descriptor to a number from 3 on. A host may run with some of 0, 1 and 2 closed, so
/// that a new file gets such a number, and one `dup2` of the child would overwrite it.
fn above_standard(descriptor: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(descriptor, 3)?)
}

fn c_strings(arguments: Vec<OsString>) -> Result<Vec<CString>, LaunchError> {
    let to_c = |(index, argument): (usize, OsString)| {
        CString::new(argument.into_vec()).map_err(|_| LaunchError::Argument { index })
    };
    arguments.into_iter().enumerate().map(to_c).collect()
}

/// The plugin's standard streams. `stdin` is `None` if the plugin inherits the host's.
struct StandardStreams {
    stdin: Option<OwnedFd>,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

impl StandardStreams {
    /// Returns the streams, and the host's ends of standard output and standard error.
    fn open(stdin: Stdin) -> io::Result<(Self, UnixStream, UnixStream)> {
        let stdin = match stdin {
            Stdin::Null => Some(above_standard(File::open("/dev/null")?)?),
            Stdin::Inherit => None,
        };
        let ((out, stdout), (err, stderr)) = (output_stream()?, output_stream()?);
        Ok((Self { stdin, stdout, stderr }, out, err))
    }
}

/// Everything that the new process needs, prepared by the host: the new process shares the host's
/// memory, and may not allocate.
struct ChildSetup {
    program: Executable<OwnedFd>,
    vectors: ExecVectors,
    streams: StandardStreams,
    working_directory: CString,
    host: Option<Pid>,
}

/// A step that failed in the new process, with the error.
type StepFailure = (Step, io::Error);

impl ChildSetup {
    fn prepare(
        program: &File,
        vectors: ExecVectors,
        streams: StandardStreams,
        working_directory: PathBuf,
    ) -> Result<Self, LaunchError> {
        let program = above_standard(program).map_err(LaunchError::start(Step::Prepare))?;
        let working_directory = CString::new(working_directory.into_os_string().into_vec())
            .map_err(|error| LaunchError::start(Step::WorkingDirectory)(error.into()))?;
        let host = Some(rustix::process::getpid());
        Ok(Self { program: Executable::new(program), vectors, streams, working_directory, host })
    }

    fn spawn(&self, mode: ExecMode) -> Result<(Pid, OwnedFd), LaunchError> {
        let is_busy = |(step, error): &StepFailure| {
            matches!(step, Step::Execute) && error.kind() == io::ErrorKind::ExecutableFileBusy
        };
        retry_while_busy(mode, is_busy, || self.spawn_once())
            .map_err(|(step, source)| LaunchError::Start { step, source })
    }

    /// Starts a process. Returns when it has executed the plugin.
    fn spawn_once(&self) -> Result<(Pid, OwnedFd), StepFailure> {
        let prepare = |error| (Step::Prepare, error);
        let mut failure = None;
        // The new process has the host's memory and signal handlers until it executes the plugin.
        // With all signals blocked, no handler of the host runs there.
        let blocked = sys::block_signals(u64::MAX).map_err(prepare)?;
        // Shares memory, so the child can store its failure in a variable of this frame. The
        // parent is suspended until then.
        let started = sys::start_process(&mut || failure = self.become_plugin().err());
        // An error is ignored, because returning it would lose a process that has started. This
        // thread needs no signals.
        let _ = sys::block_signals(blocked);
        let (pid, pidfd) = started.map_err(prepare)?;
        if let Some(failure) = failure {
            // Reaps the process, which has exited. Fails if other code was faster.
            let _ = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            return Err(failure);
        }
        Ok((pid, pidfd))
    }

    /// Runs in the new process. Makes system calls only: no allocation, no lock (vfork(2)). The
    /// order matters where a comment says so.
    fn become_plugin(&self) -> Result<Infallible, StepFailure> {
        self.replace_standard_streams()?;
        at(Step::WorkingDirectory, rustix::process::chdir(&*self.working_directory))?;
        at(Step::Session, rustix::process::setsid())?;
        at(Step::ParentDeath, rustix::process::set_parent_process_death_signal(Some(Signal::KILL)))?;
        // After the line above: a host that died before it would never trigger the signal. The
        // process has another parent then.
        if rustix::process::getppid() != self.host {
            return at(Step::ParentDeath, Err(Errno::SRCH));
        }
        at(Step::NoNewPrivileges, rustix::thread::set_no_new_privs(true))?;
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        at(Step::CoreLimit, rustix::process::setrlimit(Resource::Core, none))?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        // Ignored and blocked signals survive execve(2). Actions first: no handler may be left when
        // signals are unblocked, because it would run in the host's memory.
        (1..=64).for_each(sys::default_action);
        sys::block_signals(0).map_err(|error| (Step::Prepare, error))?;
        // Last, because it also marks the image's descriptor, which execveat(2) still uses.
        sys::close_on_exec_from(3).map_err(|error| (Step::Descriptors, error))?;
        Err((Step::Execute, self.program.execute(&self.vectors)))
    }

    fn replace_standard_streams(&self) -> Result<(), StepFailure> {
        if let Some(stdin) = &self.streams.stdin {
            at(Step::Prepare, rustix::stdio::dup2_stdin(stdin))?;
        }
        at(Step::Prepare, rustix::stdio::dup2_stdout(&self.streams.stdout))?;
        at(Step::Prepare, rustix::stdio::dup2_stderr(&self.streams.stderr))
    }
}

fn at<T>(step: Step, result: rustix::io::Result<T>) -> Result<T, StepFailure> {
    result.map_err(|error| (step, error.into()))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn descriptors_move_above_standard_streams() {
        for standard in [std::io::stdin().as_fd(), std::io::stdout().as_fd(), std::io::stderr().as_fd()] {
            assert!(above_standard(standard).unwrap().as_raw_fd() > 2);
        }
    }
}
