//! `plugin-verify check`: the verdict of [`Policy::decide`](portcullis::Policy::decide) on each
//! file. Executes nothing, and keeps nothing that it made.

use std::path::PathBuf;

use cli_support::{Exit, OutputFormat};

use crate::OUTPUT;
use crate::trust::TrustSources;
use crate::verdict::Verdict;

/// Check that files may run as plugins
///
/// Copies each file to where nobody can change it, hashes the copy, and refuses it unless it is a
/// program for this machine that everything which is named vouches for: the very steps that come
/// before a launch. A directory is a plugin too, if it has a manifest. Executes nothing, and keeps
/// nothing of the copies.
///
/// The copy lies in sealed memory. Where executing memory is forbidden (vm.memfd_noexec=2) it can
/// lie on disk instead, in a directory that only this user may enter: other processes of the same
/// user can change such a copy.
///
/// Exit status: 0 all verified, 1 some refused, 2 some could not be checked.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    trust: TrustSources,

    #[command(flatten)]
    format: OutputFormat,

    /// The files to check
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
            // Whether or not anybody reads on: the exit status is about all of them.
            exit = exit.and(verdict.print(file));
        }
    }
    if arguments.format.json {
        OUTPUT.json("check", exit, [("files", serde_json::Value::Array(entries))])
    } else {
        exit
    }
}
