//! `plugin-verify digest`: the lines that sha256sum(1) prints, computed by the library. Judges
//! nothing.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use portcullis::verify::{Checksums, Digest, Input, digest_all};
use serde_json::{Value, json};

use crate::OUTPUT;
use crate::progress::Progress;

/// Print SHA-256 digests in the format of sha256sum
///
/// A file that cannot be read is reported on standard error, and the others are still printed.
///
/// Example: plugin-verify digest ./kv
///
/// Exit status: 0 all printed, 2 a file could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    format: OutputFormat,

    /// The files to read; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let inputs: Vec<Input> = arguments.files.iter().map(|name| input(name)).collect();
    let progress = Progress::of(arguments.files.iter().map(PathBuf::as_path));
    let mut names = arguments.files.iter();
    let mut exit = Exit::Success;
    let mut entries = Vec::new();
    digest_all(&inputs, &|bytes| progress.add(bytes), |_, result| {
        let Some(name) = names.next() else { return ControlFlow::Break(()) };
        if result.is_err() {
            exit = exit.and(Exit::Failed);
        }
        if arguments.format.json {
            entries.push(entry(name, result));
            return ControlFlow::Continue(());
        }
        let written = progress.aside(|| print(name, result));
        if written.is_err() {
            exit = OUTPUT.finish(exit, written);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    if arguments.format.json { OUTPUT.json("digest", exit, [("files", entries.into())]) } else { exit }
}

fn input(name: &Path) -> Input {
    if name.as_os_str() == "-" { Input::StandardInput } else { Input::File(name.to_path_buf()) }
}

fn print(name: &Path, result: io::Result<Digest>) -> io::Result<()> {
    match result {
        Ok(digest) => OUTPUT.write(Checksums::line(&digest, name.as_os_str().as_encoded_bytes())),
        Err(error) => {
            OUTPUT.warn(format_args!("{}: {error}", Escaped::path(name)));
            Ok(())
        }
    }
}

fn entry(name: &Path, result: io::Result<Digest>) -> Value {
    let file = Escaped::path(name).to_string();
    match result {
        Ok(digest) => json!({"file": file, "outcome": Exit::Success.word(), "sha256": digest.to_string()}),
        Err(error) => {
            let mut entry = Problem::of(&error).object(Exit::Failed);
            entry.insert("file".into(), file.into());
            entry.insert("outcome".into(), Exit::Failed.word().into());
            entry.into()
        }
    }
}
