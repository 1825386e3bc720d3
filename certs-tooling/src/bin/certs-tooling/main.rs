//! `certs-tooling` makes and shows certificates from the shell, as the library of the same name
//! does. Has no check of its own.
#![forbid(unsafe_code)]

mod auto_mtls;
mod cli;
mod exit;
mod inspect;
mod issue;
mod output;

use std::process::ExitCode;

use certs_tooling::{Host, Plugin};
use cli::Verb;

fn main() -> ExitCode {
    match cli::parse() {
        Ok(Verb::Ca(cli::Ca::New(arguments))) => issue::ca(&arguments),
        Ok(Verb::Host(cli::Host::Issue(arguments))) => issue::identity::<Host>(arguments),
        Ok(Verb::Plugin(cli::Plugin::Issue(arguments))) => issue::identity::<Plugin>(arguments),
        Ok(Verb::AutoMtls(arguments)) => auto_mtls::run(&arguments),
        Ok(Verb::Inspect(arguments)) => inspect::run(&arguments),
        Ok(Verb::Fingerprint(arguments)) => inspect::fingerprint(&arguments),
        Err(exit) => exit,
    }
    .into()
}
