//! `plugin-verify check`: the decision of [`Policy::decide`](portcullis::Policy::decide) on each
//! file. Executes nothing and leaves no copy.

use std::path::PathBuf;

use cli_support::{Exit, OutputFormat};

use crate::OUTPUT;
use crate::trust::TrustSources;
use crate::verdict::Verdict;

/// Check whether files may run as plugins
///
/// Runs the checks that a launch runs. Every trust source you name must accept the file. With
/// --policy, at least one source of the policy and every source that it requires must. The file
/// must be a program for this machine. A directory with a manifest is checked as one plugin.
/// Nothing is executed.
///
/// The program is copied into sealed memory, the other files of a directory into a private
/// directory; the copies are hashed, so changing a file during the check cannot change the verdict.
/// Where the kernel forbids executing memory (vm.memfd_noexec=2), give --private-copy: the copy is
/// then in a new directory on disk, mode 0700, where other processes of the same user can change
/// it.
///
/// Example: plugin-verify check --sha256 "$DIGEST" ./kv
///
/// Exit status: 0 all verified, 1 a file was refused, 2 a file could not be checked.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    trust: TrustSources,

    #[command(flatten)]
    format: OutputFormat,

    /// The files or plugin directories to check
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let policy = arguments.trust.policy();
    let mut exit = Exit::Success;
    let mut entries = Vec::new();
    for file in &arguments.files {
        let verdict = match &policy {
            Ok(policy) => arguments.trust.decide(policy, file).into_outcome().into(),
            Err(error) => Verdict::without_source(error, file),
        };
        exit = exit.and(verdict.exit());
        if arguments.format.json {
            entries.push(verdict.entry(file).into());
        } else {
            // Goes on after a closed pipe: the exit status is about all files.
            exit = exit.and(verdict.print(file));
        }
    }
    if arguments.format.json {
        OUTPUT.json("check", exit, [("files", serde_json::Value::Array(entries))])
    } else {
        exit
    }
}
