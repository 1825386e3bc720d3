//! `plugin-verify inspect`: the format and dependencies of files, and what their digests do not
//! cover. Executes nothing and decides nothing.

mod json;

use std::fmt::Write;
use std::path::PathBuf;

use cli_support::{Exit, OutputFormat};
use portcullis::inspect::{InspectError, Inspection};
use portcullis::{Chain, Escaped};
use serde_json::Value;

use crate::OUTPUT;

/// Describe files, and warn about what their digests do not cover
///
/// Reads the headers of a file and never executes it: format and processor, dynamic loader and
/// libraries, where those are searched for and who may write there, mode and capabilities, the
/// build information of a Go program. Anything that influences the program but not its digest gets
/// a warning.
///
/// A warning is not a verdict, and a file can lie about itself: `check` decides whether it may run.
///
/// Example: plugin-verify inspect ./kv
///
/// Exit status: 0 all inspected, 2 a file could not be read.
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

/// The name of the file, with its description indented below.
fn text(separator: &str, inspection: &Inspection) -> String {
    let mut text = format!("{separator}{}:\n", Escaped::path(&inspection.path));
    for line in inspection.to_string().lines() {
        // Writing to a String cannot fail.
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
