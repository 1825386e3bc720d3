//! `plugin-verify audit keygen` and `key`: the secrets of a log, and the half of them that
//! everybody may know. Shows no secret.

use std::path::PathBuf;

use cli_support::{Exit, OutputFormat};
use portcullis::audit::{LogKey, LogKeyError};
use portcullis::{Chain, Escaped};

use crate::OUTPUT;

/// Make the secrets of a new log
///
/// Writes a file for this user alone, which must not exist: the key that the log's checkpoints are
/// signed with, and the one that hides values in it. Prints the public key, which whoever examines
/// the log needs, and should have from you rather than from the log.
///
/// Exit status: 0 made, 2 not made.
#[derive(Debug, clap::Args)]
pub(crate) struct GenerateArguments {
    /// The name of the log, which no other log has: example.com/secrets/host-7
    #[arg(long, value_name = "NAME")]
    origin: String,

    /// The file to write
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    format: OutputFormat,
}

/// Print the public key of a log
///
/// Exit status: 0 printed, 2 the secrets could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArguments {
    /// The file with the secrets of the log
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn generate(arguments: &GenerateArguments) -> Exit {
    let made = LogKey::create(&arguments.file, &arguments.origin);
    told("audit keygen", &arguments.file, arguments.format, made)
}

pub(crate) fn show(arguments: &ShowArguments) -> Exit {
    told("audit key", &arguments.file, arguments.format, LogKey::read(&arguments.file))
}

fn told(verb: &'static str, file: &std::path::Path, format: OutputFormat, key: Result<LogKey, LogKeyError>) -> Exit {
    let key = match key {
        Ok(key) => key,
        Err(error) => return OUTPUT.failed(verb, format, Chain::of(&error)),
    };
    let (public, file) = (key.verifier().to_string(), Escaped::path(file).to_string());
    if format.json {
        let origin = Escaped::new(key.origin()).to_string();
        let public = Escaped::new(&public).to_string();
        return OUTPUT.json(
            verb,
            Exit::Success,
            [("origin", origin.into()), ("key", public.into()), ("secret_file", file.into())],
        );
    }
    OUTPUT.print(format!("{}\n", Escaped::new(&public)), Exit::Success)
}
