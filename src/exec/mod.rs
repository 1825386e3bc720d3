//! A verified program in the place of this process: the same process number, the same streams,
//! other code. Starts no process, and knows neither the protocol nor an asynchronous runtime.
//!
//! ```no_run
//! use portcullis::Policy;
//! use portcullis::exec::{Environment, Program};
//!
//! let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".parse()?;
//! let verified = Policy::new().allow(digest).verify("/usr/lib/example/tool")?;
//! let error = Program::new(verified).with_environment(Environment::empty().inherit_env()).arg("--now").replace();
//! eprintln!("{}", portcullis::Chain::of(&error)); // reached only on failure
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod signals;

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

pub use crate::environment::{Environment, EnvironmentError, EnvironmentFault};
pub use error::ExecError;

use crate::sys::{self, ExecVectors};
use crate::verify::{ExecMode, VerifiedPlugin};
use signals::Defaults;

/// A private copy can be busy for a moment, because a process that was forked elsewhere in this
/// program at the wrong time holds the descriptor that the copy was written through until it
/// executes something.
const BUSY_RETRIES: u32 = 200;
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// A verified program that is about to take the place of this process.
///
/// It finds what env(1) or nice(1) would leave it: this process's number, parent, session,
/// terminal, working directory, umask and limits, and its descriptors 0, 1 and 2. It does not find
/// other descriptors, nor variables that were not given, nor signals that were ignored or blocked;
/// and neither it nor its children can gain privileges (prctl(2) `PR_SET_NO_NEW_PRIVS`). Run from
/// sealed memory by a user that is not root, other processes of that user can neither trace it nor
/// read its environment.
///
/// For whoever waits for this process nothing changes, so a host can be told to start a program
/// that does this in place of its plugin.
#[derive(Debug, Clone)]
#[must_use = "nothing is executed before `replace`"]
pub struct Program {
    plugin: VerifiedPlugin,
    name: OsString,
    arguments: Vec<OsString>,
    environment: Environment,
}

impl Program {
    /// The program, with its path as its name, no argument and an empty environment.
    pub fn new(plugin: VerifiedPlugin) -> Self {
        let name = plugin.name().into();
        Self { plugin, name, arguments: Vec::new(), environment: Environment::empty() }
    }

    /// What the program finds in its environment.
    ///
    /// With [`Environment::inherit_env`] it is this process's own, the names that belong to the
    /// plugin protocol included, because they are between the program and the host that started
    /// this process. Loader variables stay behind; [`left_out`](Self::left_out) names them.
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// What the program sees as its own name (`argv[0]`), instead of the path that was verified.
    pub fn with_name(mut self, name: impl Into<OsString>) -> Self {
        self.name = name.into();
        self
    }

    /// The variables of this process that [`Environment::inherit_env`] was to pass on and does not,
    /// because they can make a program load code that was never verified.
    pub fn left_out(&self) -> Vec<OsString> {
        self.environment.left_out()
    }

    /// Executes the program in place of this process, whose other threads end. Returns only when
    /// that failed.
    ///
    /// Nothing of this process is cleaned up, as no destructor runs. A private copy
    /// ([`Policy::with_private_copy`](crate::Policy::with_private_copy)) is taken off the disk
    /// first, because nobody could do it afterwards, so here it does not help a program to find
    /// itself on disk.
    ///
    /// To be called when no other thread changes the environment or the actions of signals.
    ///
    /// # Errors
    ///
    /// When the arguments or the environment cannot be passed, nothing has happened. When a later
    /// step failed, this process can no longer gain privileges and its descriptors from 3 on are
    /// marked close-on-exec; the rest is as it was.
    pub fn replace(self) -> ExecError {
        match self.prepare() {
            Ok(vectors) => {
                let failed = self.execute(&vectors);
                // Owns the image until here.
                drop(self);
                failed
            }
            Err(error) => error,
        }
    }

    fn prepare(&self) -> Result<ExecVectors, ExecError> {
        if self.plugin.bundle().is_some() {
            return Err(ExecError::Bundle);
        }
        let environment = self.environment.block_in_place()?;
        let arguments = std::iter::once(&self.name).chain(&self.arguments).enumerate().map(|(index, argument)| {
            CString::new(argument.clone().into_vec()).map_err(|_| ExecError::Argument { index })
        });
        Ok(ExecVectors::new(arguments.collect::<Result<_, _>>()?, environment.strings))
    }

    fn execute(&self, vectors: &ExecVectors) -> ExecError {
        match self.give_up_and_execute(vectors) {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    fn give_up_and_execute(&self, vectors: &ExecVectors) -> Result<std::convert::Infallible, ExecError> {
        let image = &self.plugin.image;
        image.make_execute_only().map_err(ExecError::step("making its image execute-only"))?;
        image.remove_from_disk().map_err(ExecError::step("taking its private copy off the disk"))?;
        rustix::thread::set_no_new_privs(true)
            .map_err(|error| ExecError::step("forbidding it new privileges")(error.into()))?;
        sys::close_on_exec_from(3).map_err(ExecError::step("closing this process's descriptors to it"))?;
        // On failure they are given back, so that whoever called still writes to a closed pipe
        // without being killed.
        let _defaults = Defaults::set().map_err(ExecError::step("giving signals their default actions"))?;
        Err(ExecError::step("executing it")(self.execute_patiently(vectors)))
    }

    fn execute_patiently(&self, vectors: &ExecVectors) -> io::Error {
        let program = self.plugin.image.file.as_raw_fd();
        let path = CString::new(format!("/proc/self/fd/{program}")).unwrap_or_default();
        let mut retries = if self.plugin.mode() == ExecMode::PrivateCopy { BUSY_RETRIES } else { 0 };
        loop {
            let mut error = sys::execute(program, vectors);
            if error.raw_os_error() == Some(libc::ENOSYS) {
                error = sys::execute_path(&path, vectors);
            }
            if error.kind() != io::ErrorKind::ExecutableFileBusy || retries == 0 {
                return error;
            }
            retries -= 1;
            std::thread::sleep(BUSY_PAUSE);
        }
    }
}
