//! `plugin-verify check`: the verdict of [`Policy::verify`] on one file. Executes nothing, and keeps nothing that it made.

use std::fmt;
use std::path::PathBuf;

use portcullis::verify::{Refusal, VerifiedPlugin, VerifyError};
use portcullis::{Chain, Escaped};

use crate::exit::Exit;
use crate::trust::Trust;
use crate::{hint, output};

/// Check that a file may run as a plugin
///
/// Copies the file to where nobody can change it, hashes the copy, and refuses it unless it is a program for this machine with the
/// digest that was named: the very steps that come before a launch. Executes nothing, and keeps nothing of the copy.
///
/// The copy lies in sealed memory. Where executing memory is forbidden (vm.memfd_noexec=2) it can lie on disk instead, in a directory
/// that only this user may enter: other processes of the same user can change such a copy.
///
/// Exit status: 0 verified, 1 refused, 2 could not be checked.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    trust: Trust,

    /// The file to check
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let file = Escaped::path(&arguments.file);
    let policy = match arguments.trust.policy() {
        Ok(policy) => policy,
        Err(error) => {
            output::complain(Chain::of(&error));
            return Exit::Failed;
        }
    };
    match policy.verify(&arguments.file) {
        Ok(plugin) => pronounce(Exit::Success, format_args!("{file}: OK\n{}", Facts(&plugin))),
        Err(VerifyError::Refused { reason, .. }) => {
            let exit = pronounce(Exit::Refused, format_args!("{file}: REFUSED\n  {reason}\n"));
            advise(&reason);
            exit
        }
        Err(error) => {
            output::complain(Chain::of(&error));
            Exit::Failed
        }
    }
}

fn pronounce(exit: Exit, verdict: fmt::Arguments<'_>) -> Exit {
    exit.after(output::write(verdict.to_string().as_bytes()))
}

fn advise(reason: &Refusal) {
    if let Some(advice) = hint::what_to_do(reason) {
        output::complain(format_args!("hint: {advice}"));
    }
}

/// What is known of a verified plugin, one fact to a line.
struct Facts<'a>(&'a VerifiedPlugin);

impl fmt::Display for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  sha256 {}", self.0.digest())?;
        writeln!(f, "  size   {} bytes", self.0.size())?;
        writeln!(f, "  image  {}", self.0.mode())
    }
}
