//! `plugin-verify` offers the checks of the library `portcullis` to the shell. It has no check that
//! the library does not have.
#![forbid(unsafe_code)]

mod audit;
mod check;
mod cli;
mod completions;
mod digest;
mod doctor;
mod exec;
mod files;
mod inspect;
mod keygen;
mod limits;
mod lock;
mod man;
mod manifest;
mod password;

#[cfg(feature = "probe")]
mod probe;
mod progress;
#[cfg(feature = "report")]
mod report;
mod sign;
mod timing;
mod trust;
mod verdict;

use std::process::ExitCode;

use cli_support::Output;

use crate::cli::Verb;

/// The output streams of this program.
const OUTPUT: Output = Output::of("plugin-verify");

fn main() -> ExitCode {
    match cli::parse() {
        Ok(Verb::Digest(arguments)) => digest::run(&arguments),
        Ok(Verb::Check(arguments)) => check::run(&arguments),
        Ok(Verb::Lock(arguments)) => lock::run(&arguments),
        Ok(Verb::Manifest(arguments)) => manifest::run(&arguments),
        Ok(Verb::Sign(arguments)) => sign::run(&arguments),
        Ok(Verb::Keygen(arguments)) => keygen::run(&arguments),
        Ok(Verb::Inspect(arguments)) => inspect::run(&arguments),
        Ok(Verb::Doctor(arguments)) => doctor::run(&arguments),
        #[cfg(feature = "probe")]
        Ok(Verb::Probe(arguments)) => probe::run(&arguments),
        Ok(Verb::Exec(arguments)) => exec::run(&arguments),
        Ok(Verb::Audit(arguments)) => audit::run(&arguments),
        Ok(Verb::Completions(arguments)) => completions::run(&arguments),
        Ok(Verb::Man(arguments)) => man::run(&arguments),
        Err(exit) => exit,
    }
    .into()
}
