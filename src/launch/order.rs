//! What is started and how: the arguments, the standard streams, and the steps between fork and exec. Does not know the protocol.

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal};

use super::child::{Belongings, Child};
use super::error::{LaunchError, Step};
use super::{Measure, Running};
use crate::environment::Block;
use crate::private::PrivateDirectory;
use crate::sys::{self, ExecVectors};
use crate::verify::{ExecMode, VerifiedPlugin};

/// A private copy can be busy for a moment, because a process that was forked elsewhere in this program at the wrong time holds the
/// descriptor that the copy was written through until it executes something.
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
pub(crate) struct Order {
    pub(crate) plugin: VerifiedPlugin,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Block,
    pub(crate) working_directory: PathBuf,
    pub(crate) stdin: Stdin,
    pub(crate) directory: PrivateDirectory,
}

impl Order {
    /// Starts the process. To be called on the launcher thread only ([`on_launcher`](super::on_launcher)).
    pub(crate) fn start(self) -> Result<Running, LaunchError> {
        if sys::ignores_children().map_err(LaunchError::start(Step::Prepare))? {
            return Err(LaunchError::ChildrenIgnored);
        }
        self.plugin.image.make_execute_only().map_err(LaunchError::start(Step::Prepare))?;
        let (stdout, plugin_stdout) = output().map_err(LaunchError::start(Step::Prepare))?;
        let (stderr, plugin_stderr) = output().map_err(LaunchError::start(Step::Prepare))?;
        // Only what `fork` runs in the child says what is executed; the name here is never looked up.
        let mut command = Command::new("plugin");
        command
            .stdin(match self.stdin {
                Stdin::Null => Stdio::null(),
                Stdin::Inherit => Stdio::inherit(),
            })
            .stdout(plugin_stdout)
            .stderr(plugin_stderr);
        let names = self.environment.names;
        let vectors = Arc::new(ExecVectors::new(c_strings(self.arguments)?, self.environment.strings));
        let after_fork = AfterFork::prepare(&self.plugin.image.file, &vectors, self.working_directory)?;
        let forked = fork_patiently(&mut command, after_fork, self.plugin.mode())?;
        let child = hold(forked, Belongings { plugin: self.plugin, directory: self.directory })?;
        let measures = Measure::taken(self.stdin, &child);
        Ok(Running { child, stdout, stderr, names, measures })
    }
}

fn fork_patiently(
    command: &mut Command,
    after_fork: AfterFork,
    mode: ExecMode,
) -> Result<std::process::Child, LaunchError> {
    let mut retries = if mode == ExecMode::PrivateCopy { BUSY_RETRIES } else { 0 };
    // The closure is added to the command once; spawning the command again runs it again.
    let mut spawned = sys::fork(command, move || after_fork.run());
    loop {
        match spawned {
            Ok(child) => return Ok(child),
            Err(error) => match decode(&error) {
                (Step::Execute, source) if source.kind() == io::ErrorKind::ExecutableFileBusy && retries > 0 => {
                    retries -= 1;
                    std::thread::sleep(BUSY_PAUSE);
                    spawned = command.spawn();
                }
                (step, source) => return Err(LaunchError::Start { step, source }),
            },
        }
    }
}

fn hold(mut child: std::process::Child, belongings: Belongings) -> Result<Child, LaunchError> {
    let pid = Pid::from_child(&child);
    Child::hold(pid, belongings).map_err(|source| {
        // It is our child and not reaped, so neither the number nor the waiting can go wrong. That it is gone already is no error.
        let _ = child.kill();
        let _ = child.wait();
        LaunchError::Start { step: Step::ProcessHandle, source }
    })
}

/// A socket pair for one output stream: the host's end reads, the plugin's end writes.
///
/// Not a pipe, because `/proc/PID/fd` lets other processes of the same user open a pipe for writing, and a socket not.
fn output() -> io::Result<(UnixStream, Stdio)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.shutdown(Shutdown::Write)?;
    Ok((ours, OwnedFd::from(theirs).into()))
}

fn c_strings(arguments: Vec<OsString>) -> Result<Vec<CString>, LaunchError> {
    let to_c = |(index, argument): (usize, OsString)| {
        CString::new(argument.into_vec()).map_err(|_| LaunchError::Argument { index })
    };
    arguments.into_iter().enumerate().map(to_c).collect()
}

/// The steps of the child between fork and exec, with everything that they need: nothing may be allocated there.
struct AfterFork {
    program: RawFd,
    /// The same file, for kernels without execveat.
    program_path: CString,
    vectors: Arc<ExecVectors>,
    working_directory: CString,
    host: Option<Pid>,
}

impl AfterFork {
    fn prepare(program: &File, vectors: &Arc<ExecVectors>, working_directory: PathBuf) -> Result<Self, LaunchError> {
        let program = program.as_raw_fd();
        let working_directory = CString::new(working_directory.into_os_string().into_vec())
            .map_err(|error| LaunchError::start(Step::WorkingDirectory)(error.into()))?;
        Ok(Self {
            program,
            program_path: CString::new(format!("/proc/self/fd/{program}")).unwrap_or_default(),
            vectors: Arc::clone(vectors),
            working_directory,
            host: Some(rustix::process::getpid()),
        })
    }

    fn run(&self) -> io::Result<Infallible> {
        at(Step::WorkingDirectory, rustix::process::chdir(&*self.working_directory))?;
        at(Step::Session, rustix::process::setsid())?;
        at(Step::ParentDeath, rustix::process::set_parent_process_death_signal(Some(Signal::KILL)))?;
        // The host may have died before the line above; then nobody would ever send the signal.
        if rustix::process::getppid() != self.host {
            return at(Step::ParentDeath, Err(rustix::io::Errno::SRCH));
        }
        at(Step::NoNewPrivileges, rustix::thread::set_no_new_privs(true))?;
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        at(Step::CoreLimit, rustix::process::setrlimit(Resource::Core, none))?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        // What the host ignores or handles is no business of the plugin. (The standard library has unblocked all signals.)
        (1..=64).for_each(sys::default_action);
        sys::close_on_exec_from(3).map_err(|error| encode(Step::Descriptors, &error))?;
        let mut error = sys::execute(self.program, &self.vectors);
        if error.raw_os_error() == Some(libc::ENOSYS) {
            error = sys::execute_path(&self.program_path, &self.vectors);
        }
        Err(encode(Step::Execute, &error))
    }
}

fn at<T>(step: Step, result: rustix::io::Result<T>) -> io::Result<T> {
    result.map_err(|error| encode(step, &io::Error::from(error)))
}

/// The steps by the number under which the child reports them.
const STEPS: [Step; 8] = [
    Step::Prepare,
    Step::WorkingDirectory,
    Step::Session,
    Step::ParentDeath,
    Step::NoNewPrivileges,
    Step::CoreLimit,
    Step::Descriptors,
    Step::Execute,
];

/// Puts the step above the error number (which has at most 12 bits): the standard library passes one integer from the child to the parent.
fn encode(step: Step, error: &io::Error) -> io::Error {
    let number = STEPS.iter().position(|known| *known == step).unwrap_or_default() as i32;
    io::Error::from_raw_os_error(number << 16 | error.raw_os_error().unwrap_or(libc::EINVAL))
}

fn decode(error: &io::Error) -> (Step, io::Error) {
    let raw = error.raw_os_error().unwrap_or(libc::EINVAL);
    let step = STEPS.get((raw >> 16) as usize).copied().unwrap_or(Step::Prepare);
    (step, io::Error::from_raw_os_error(raw & 0xffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_and_its_error_survive_the_way_from_the_child() {
        for step in STEPS {
            let (decoded, error) = decode(&encode(step, &io::Error::from_raw_os_error(libc::ETXTBSY)));
            assert_eq!((decoded, error.raw_os_error()), (step, Some(libc::ETXTBSY)));
        }
    }
}
