//! `plugin-verify exec`: replaces this process with a verified file. Prints only warnings and
//! failures: standard output belongs to the program.

use std::ffi::OsString;
use std::path::Path;

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use portcullis::exec::{Environment, Program};
use portcullis::verify::VerifiedPlugin;

use crate::OUTPUT;
use crate::trust::TrustSources;
use crate::verdict::Verdict;

/// Run a file in place of this process, if it may run as a plugin
///
/// Verifies the file as `check` does and executes the verified copy: changing the file later
/// cannot change the bytes that run. FILE is a path; PATH is not searched.
///
/// The program keeps the process ID, the standard streams, the terminal, the working directory and
/// the environment, so a host can start this command instead of its plugin. It inherits no other
/// descriptor and cannot gain privileges. Signals that were ignored, as under nohup, get their
/// default action back. Variables that make a loader or an interpreter load other code (such as
/// LD_PRELOAD) are removed, with a warning that names them.
///
/// With --private-copy, the copy is deleted from disk before it runs.
///
/// Example: plugin-verify exec --lock plugins.lock ./plugins/kv --verbose
///
/// Exit status: that of the program; 1 the file was refused, 2 it could not be checked or executed.
/// 126 and 127 are not used.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    trust: TrustSources,

    /// Name that the program sees as its argument 0, instead of FILE
    #[arg(long, value_name = "NAME")]
    name: Option<OsString>,

    #[command(flatten)]
    format: OutputFormat,

    /// The file to run, then its arguments; options after FILE go to the program
    // One list with the file: clap stops parsing options after its first value, so `FILE --json`
    // goes to the program.
    #[arg(value_names = ["FILE", "ARGUMENT"], required = true, num_args = 1.., trailing_var_arg = true)]
    command: Vec<OsString>,
}

impl Arguments {
    fn file(&self) -> &Path {
        self.command.first().map_or(Path::new(""), Path::new)
    }
}

/// Returns only when the program did not run.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    let file = arguments.file();
    let verdict = match arguments.trust.policy() {
        Ok(policy) => arguments.trust.decide(&policy, file).into_outcome().into(),
        Err(error) => Verdict::without_source(&error, file),
    };
    match verdict {
        Verdict::Verified(plugin) => execute(arguments, plugin),
        Verdict::Refused(problem) => refuse(arguments, &problem),
        Verdict::Unchecked(problem) => fail(arguments, &problem),
    }
}

fn execute(arguments: &Arguments, plugin: VerifiedPlugin) -> Exit {
    let mut program = Program::new(plugin)
        .with_environment(Environment::empty().inherit_env())
        .args(arguments.command.iter().skip(1));
    if let Some(name) = &arguments.name {
        program = program.with_name(name);
    }
    let left_out: Vec<_> =
        program.left_out().iter().map(|name| Escaped::new(name.as_encoded_bytes()).to_string()).collect();
    if !left_out.is_empty() {
        OUTPUT.warn(format_args!("removed variables that can make a program load other code: {}", left_out.join(", ")));
    }
    let error = program.replace();
    fail(arguments, &Problem::of(&error).with_code(error.code()))
}

fn refuse(arguments: &Arguments, problem: &Problem) -> Exit {
    if arguments.format.json {
        return report(arguments, Exit::Refused, problem);
    }
    // On standard error, although it is a verdict: a reader of standard output expects the
    // program's output there, and must not mistake this for it.
    OUTPUT.warn(format_args!("{} is refused: {problem}", Escaped::path(arguments.file())));
    if let Some(hint) = problem.hint() {
        OUTPUT.hint(hint);
    }
    Exit::Refused
}

fn fail(arguments: &Arguments, problem: &Problem) -> Exit {
    if arguments.format.json {
        return report(arguments, Exit::Failed, problem);
    }
    OUTPUT.warn(problem);
    Exit::Failed
}

fn report(arguments: &Arguments, exit: Exit, problem: &Problem) -> Exit {
    let file = Escaped::path(arguments.file()).to_string();
    let members = problem.members(exit);
    OUTPUT.json("exec", exit, [("file", file.into())].into_iter().chain(members))
}
