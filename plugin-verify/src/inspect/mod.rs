//! `plugin-verify inspect`: what files are, and what their digests do not cover. Executes nothing,
//! and judges nothing.

mod json;

use std::fmt::Write;
use std::path::PathBuf;

use cli_support::{Exit, OutputFormat};
use portcullis::inspect::{InspectError, Inspection};
use portcullis::{Chain, Escaped};
use serde_json::Value;

use crate::OUTPUT;

/// Tell what files are, and warn of what their digests do not cover
///
/// Reads the headers of a program and never executes it: its format and processor, its dynamic
/// loader and libraries, where these are searched and who may write there, its mode and
/// capabilities, how a Go program was built. Warns of everything that a digest of the file says
/// nothing about. A file that is no program is told what it is.
///
/// What a file says about itself may be a lie, and a warning is no verdict: whether it may run is
/// what `check` says.
///
/// Exit status: 0 all were inspected, 2 one could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    format: OutputFormat,

    /// The files to inspect
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    if arguments.format.json { in_json(arguments) } else { in_text(arguments) }
}

fn in_text(arguments: &Arguments) -> Exit {
    let mut exit = Exit::Success;
    let mut separator = "";
    for file in &arguments.files {
        let inspection = match Inspection::of(file) {
            Ok(inspection) => inspection,
            Err(error) => {
                OUTPUT.warn(Chain::of(&error));
                exit = exit.and(Exit::Failed);
                continue;
            }
        };
        let written = OUTPUT.write(text(separator, &inspection));
        if written.is_err() {
            return OUTPUT.finish(exit, written);
        }
        separator = "\n";
    }
    exit
}

/// The name of the file, and all that is known of it below.
fn text(separator: &str, inspection: &Inspection) -> String {
    let mut text = format!("{separator}{}:\n", Escaped::path(&inspection.path));
    for line in inspection.to_string().lines() {
        // Writing to memory does not fail.
        let _ = writeln!(text, "  {line}");
    }
    text
}

fn in_json(arguments: &Arguments) -> Exit {
    let inspected: Vec<_> = arguments.files.iter().map(|file| (file, Inspection::of(file))).collect();
    let failed = inspected.iter().any(|(_, result)| result.is_err());
    let exit = if failed { Exit::Failed } else { Exit::Success };
    let files: Vec<Value> = inspected
        .iter()
        .map(|(file, result): &(&PathBuf, Result<Inspection, InspectError>)| match result {
            Ok(inspection) => json::inspection(inspection),
            Err(error) => json::failure(file, error),
        })
        .collect();
    OUTPUT.json("inspect", exit, [("files", files.into())])
}
