//! `plugin-verify digest`: what sha256sum(1) prints, computed by the library. Judges nothing.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;

use portcullis::Escaped;
use portcullis::verify::Digest;

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
                let written = output::write(&line(&digest, name.as_bytes()));
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

/// One line of sha256sum(1): the name as it is, byte for byte, unless it would not stay on its line.
fn line(digest: &Digest, name: &[u8]) -> Vec<u8> {
    let escaped = escape(name);
    let mark = if escaped == name { "" } else { "\\" };
    let mut line = format!("{mark}{digest}  ").into_bytes();
    line.extend(escaped);
    line.push(b'\n');
    line
}

/// The name as GNU coreutils write it on a line that starts with a backslash.
fn escape(name: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(name.len());
    for &byte in name {
        match byte {
            b'\\' => escaped.extend(b"\\\\"),
            b'\n' => escaped.extend(b"\\n"),
            b'\r' => escaped.extend(b"\\r"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_would_leave_their_line_are_escaped() {
        let digest = Digest::of(b"");
        for (name, mark, written) in [
            (&b"plugin"[..], "", &b"plugin"[..]),
            (b"two  spaces ", "", b"two  spaces "),
            (b"\x1b[31m\xff", "", b"\x1b[31m\xff"),
            (b"a\nb", "\\", b"a\\nb"),
            (b"a\rb", "\\", b"a\\rb"),
            (b"a\\nb", "\\", b"a\\\\nb"),
            (b"\xff\n", "\\", b"\xff\\n"),
        ] {
            let expected = [format!("{mark}{digest}  ").as_bytes(), written, b"\n"].concat();
            assert_eq!(line(&digest, name), expected, "{:?}", Escaped::new(name));
        }
    }
}
