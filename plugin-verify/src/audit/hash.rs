//! `plugin-verify audit hash`: a value as it appears in a log, for whoever has the log's secrets
//! and looks for the value. Prints the hash and never the value.

use std::io::Read as _;
use std::path::PathBuf;

use cli_support::{Exit, OutputFormat};
use portcullis::Chain;
use portcullis::audit::LogKey;

use crate::OUTPUT;

/// Print the keyed hash that a value has in a log
///
/// Values appear in a log as HMAC-SHA-256 under a key of that log: who has the key can look for a
/// value, and nobody else can tell which it was.
///
/// Exit status: 0 printed, 2 the secrets or the value could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The file with the secrets of the log
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// The value; - reads it from standard input, where other users cannot see it
    #[arg(value_name = "VALUE")]
    value: String,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let key = match LogKey::read(&arguments.key) {
        Ok(key) => key,
        Err(error) => return OUTPUT.failed("audit hash", arguments.format, Chain::of(&error)),
    };
    let mut blinding = key.keyed_hasher();
    if arguments.value == "-" {
        let mut piece = vec![0; 64 * 1024];
        let mut stdin = std::io::stdin().lock();
        loop {
            match stdin.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => blinding.update(&piece[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return OUTPUT.failed("audit hash", arguments.format, format_args!("standard input: {error}"));
                }
            }
        }
    } else {
        blinding.update(arguments.value.as_bytes());
    }
    let hash = blinding.finish().to_string();
    if arguments.format.json {
        return OUTPUT.json("audit hash", Exit::Success, [("hash", hash.into())]);
    }
    OUTPUT.print(format!("{hash}\n"), Exit::Success)
}
