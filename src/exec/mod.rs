//! Replaces this process by a verified program: same process number, same streams, other code.
//! Starts no process, and needs neither the protocol nor an asynchronous runtime.
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
mod executable;
mod signals;

use std::convert::Infallible;
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;

pub use crate::environment::{Environment, EnvironmentError, EnvironmentFault};
pub use error::{ExecError, ExecStep};
pub(crate) use executable::{Executable, retry_while_busy};

use crate::sys::{self, ExecVectors};
use crate::verify::VerifiedPlugin;
use signals::DefaultSignals;

/// A verified program that is to replace this process.
///
/// As with env(1) or nice(1), the program keeps this process's number, parent, session, terminal,
/// working directory, umask and limits, and descriptors 0, 1 and 2. All other descriptors are
/// closed, the environment holds only the variables that were given, and no signal is ignored or
/// blocked. Neither the program nor its children can gain privileges (prctl(2)
/// `PR_SET_NO_NEW_PRIVS`). If it runs from sealed memory and its user is not root, other processes
/// of that user can neither trace it nor read its environment.
///
/// The parent of this process notices nothing. A host can therefore launch a small program that
/// verifies the real plugin and replaces itself by it.
#[derive(Debug, Clone)]
#[must_use = "`replace` executes the program"]
pub struct Program {
    plugin: VerifiedPlugin,
    name: OsString,
    arguments: Vec<OsString>,
    environment: Environment,
}

impl Program {
    /// Takes a verified program, with its path as its name, no arguments, and an empty environment.
    pub fn new(plugin: VerifiedPlugin) -> Self {
        let name = plugin.name().into();
        Self { plugin, name, arguments: Vec::new(), environment: Environment::empty() }
    }

    /// Sets the program's environment.
    ///
    /// With [`Environment::inherit_env`] the program gets this process's variables, including those
    /// of the plugin protocol, which the host that started this process meant for it. Loader
    /// variables are left out; [`left_out`](Self::left_out) names them.
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

    /// Sets the program's name (`argv[0]`). The default is the path that was verified.
    pub fn with_name(mut self, name: impl Into<OsString>) -> Self {
        self.name = name.into();
        self
    }

    /// The variables of this process that [`Environment::inherit_env`] does not pass on, because
    /// they can make a program load unverified code.
    pub fn left_out(&self) -> Vec<OsString> {
        self.environment.left_out()
    }

    /// Replaces this process and ends its other threads. Returns only on failure.
    ///
    /// No destructor of this process runs. A private copy
    /// ([`Policy::with_private_copy`](crate::Policy::with_private_copy)) is removed from disk
    /// before, because no code of this crate could remove it later. The program therefore cannot
    /// find itself on disk.
    ///
    /// Call it when no other thread changes the environment or signal actions.
    ///
    /// # Errors
    ///
    /// If the arguments or the environment cannot be passed, this process is unchanged. If a later
    /// step fails, this process can no longer gain privileges, and its descriptors from 3 on are
    /// marked close-on-exec. The rest is unchanged.
    pub fn replace(self) -> ExecError {
        match self.prepare() {
            Ok(vectors) => {
                let error = self.execute(&vectors);
                // `self` owns the image until here.
                drop(self);
                error
            }
            Err(error) => error,
        }
    }

    fn prepare(&self) -> Result<ExecVectors, ExecError> {
        if self.plugin.bundle().is_some() {
            return Err(ExecError::Bundle);
        }
        let environment = self.environment.block_for_exec()?;
        let arguments = std::iter::once(&self.name).chain(&self.arguments).enumerate().map(|(index, argument)| {
            CString::new(argument.clone().into_vec()).map_err(|_| ExecError::Argument { index })
        });
        Ok(ExecVectors::new(arguments.collect::<Result<_, _>>()?, environment.strings))
    }

    fn execute(&self, vectors: &ExecVectors) -> ExecError {
        match self.prepare_and_execute(vectors) {
            Ok(never) => match never {},
            Err(error) => error,
        }
    }

    fn prepare_and_execute(&self, vectors: &ExecVectors) -> Result<Infallible, ExecError> {
        let image = &self.plugin.image;
        image.make_execute_only().map_err(ExecError::step(ExecStep::ExecuteOnly))?;
        // No code of this crate runs after the replacement, so the copy is unlinked now. The open
        // descriptor keeps the file.
        image.remove_from_disk().map_err(ExecError::step(ExecStep::RemoveCopy))?;
        rustix::thread::set_no_new_privs(true)
            .map_err(|error| ExecError::step(ExecStep::NoNewPrivileges)(error.into()))?;
        sys::close_on_exec_from(3).map_err(ExecError::step(ExecStep::Descriptors))?;
        // Restored on failure. Otherwise SIGPIPE could kill the caller after the error.
        let _default_signals = DefaultSignals::set().map_err(ExecError::step(ExecStep::Signals))?;
        let program = Executable::new(&image.file);
        let is_busy = |error: &io::Error| error.kind() == io::ErrorKind::ExecutableFileBusy;
        retry_while_busy(self.plugin.mode(), is_busy, || Err(program.execute(vectors)))
            .map_err(ExecError::step(ExecStep::Execute))
    }
}
