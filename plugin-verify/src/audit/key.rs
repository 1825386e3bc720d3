//! `plugin-verify audit keygen`, `key` and `hash`: the secrets of a log, their public half, and the
//! keyed hash of a value. Prints no secret and no value.

use std::io::Read as _;
use std::path::PathBuf;

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use portcullis::audit::{LogKey, LogKeyError};

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
        Err(error) => return OUTPUT.failed(verb, format, &Problem::of(&error)),
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

/// Print the keyed hash that a value has in a log
///
/// Values appear in a log as HMAC-SHA-256 under a key of that log: who has the key can look for a
/// value, and nobody else can tell which it was.
///
/// Exit status: 0 printed, 2 the secrets or the value could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct HashArguments {
    /// The file with the secrets of the log
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// The value; - reads it from standard input, where other users cannot see it
    #[arg(value_name = "VALUE")]
    value: String,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn hash(arguments: &HashArguments) -> Exit {
    let key = match LogKey::read(&arguments.key) {
        Ok(key) => key,
        Err(error) => return OUTPUT.failed("audit hash", arguments.format, &Problem::of(&error)),
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
                    let problem = Problem::of(&error).within("standard input");
                    return OUTPUT.failed("audit hash", arguments.format, &problem);
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
