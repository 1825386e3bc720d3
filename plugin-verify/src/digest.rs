//! `plugin-verify digest`: what sha256sum(1) prints, computed by the library. Judges nothing.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;

use portcullis::Escaped;
use portcullis::verify::{Checksums, Digest};

use crate::exit::Exit;
use crate::output;

/// Print SHA-256 digests as sha256sum does
///
/// A file that cannot be read is reported on standard error, the others are still printed, and the exit status is 2.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The files to read; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<OsString>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let mut exit = Exit::Success;
    for name in &arguments.files {
        match read(name) {
            Ok(digest) => {
                let written = output::write(&Checksums::line(&digest, name.as_bytes()));
                if written.is_err() {
                    return exit.after(written);
                }
            }
            Err(error) => {
                output::complain(format_args!("{}: {error}", Escaped::new(name.as_bytes())));
                exit = Exit::Failed;
            }
        }
    }
    exit
}

fn read(name: &OsStr) -> io::Result<Digest> {
    if name == "-" { Digest::read(io::stdin().lock()) } else { Digest::read(File::open(name)?) }
}
