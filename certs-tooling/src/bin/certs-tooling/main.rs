//! `certs-tooling` offers the library of the same name to the shell. It has no check that the
//! library does not have.
#![forbid(unsafe_code)]

mod cli;
mod inspect;
mod issue;

use std::error::Error;
use std::process::ExitCode;

use certs_tooling::{CaError, FileError, Host, InspectError, IssueError, KeyError, NameError, Plugin, SourceError};
use cli_support::{Body, Exit, Output, OutputFormat, Problem};

use crate::cli::Verb;

/// The output streams of this program.
const OUTPUT: Output = Output::of("certs-tooling");

fn main() -> ExitCode {
    match cli::parse() {
        Ok(Verb::Ca(cli::Ca::New(arguments))) => issue::ca(&arguments),
        Ok(Verb::Host(cli::Host::Issue(arguments))) => issue::identity::<Host>(arguments),
        Ok(Verb::Plugin(cli::Plugin::Issue(arguments))) => issue::identity::<Plugin>(arguments),
        Ok(Verb::AutoMtls(arguments)) => issue::auto_mtls(&arguments),
        Ok(Verb::Inspect(arguments)) => inspect::run(&arguments),
        Ok(Verb::Fingerprint(arguments)) => inspect::fingerprint(&arguments),
        Err(exit) => exit,
    }
    .into()
}

/// Prints the one result of a verb in the requested format. A failure goes to standard error in
/// either format.
fn print_result(format: OutputFormat, verb: &str, result: Result<(String, Body), Box<dyn Error>>) -> Exit {
    match result {
        Ok((_, body)) if format.json => OUTPUT.json(verb, Exit::Success, body),
        Ok((text, _)) => OUTPUT.print(text, Exit::Success),
        Err(error) => {
            let problem = problem(error.as_ref());
            OUTPUT.warn(&problem);
            if format.json { OUTPUT.json(verb, Exit::Failed, problem.members(Exit::Failed)) } else { Exit::Failed }
        }
    }
}

/// An error with the code that the library gives it. An I/O error keeps the more precise code of
/// its kind.
fn problem(error: &(dyn Error + 'static)) -> Problem {
    let problem = Problem::of(error);
    if std::iter::successors(Some(error), |&error| error.source()).any(|cause| cause.is::<std::io::Error>()) {
        return problem;
    }
    match code(error) {
        Some(code) => problem.with_code(code),
        None => problem,
    }
}

fn code(error: &(dyn Error + 'static)) -> Option<&'static str> {
    macro_rules! first_of {
        ($($type:ty),+ $(,)?) => {
            $(if let Some(error) = error.downcast_ref::<$type>() {
                return Some(error.code());
            })+
        };
    }
    first_of!(CaError, FileError, InspectError, IssueError, KeyError, NameError, SourceError);
    None
}
