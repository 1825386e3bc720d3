//! `plugin-verify audit keygen`, `key` and `hash`: the secrets of a log, their public half, and the
//! keyed hash of a value. Prints no secret and no value.

use std::io::Read as _;
use std::path::PathBuf;

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use portcullis::audit::{LogKey, LogKeyError};

use crate::OUTPUT;

/// Create the secrets of a new log
///
/// Writes a new file that only this user can read. It holds the signing key of the log's
/// checkpoints, and the key of the hashes that stand for values in the log. Prints the public key;
/// give it to the people who verify the log by a channel other than the log.
///
/// Example: plugin-verify audit keygen --origin example.com/secrets/host-7 log.key
///
/// Exit status: 0 created, 2 not created.
#[derive(Debug, clap::Args)]
pub(crate) struct GenerateArguments {
    /// Unique name of the log, such as example.com/secrets/host-7
    #[arg(long, value_name = "NAME")]
    origin: String,

    /// The file to create
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    format: OutputFormat,
}

/// Print the public key of a log
///
/// Example: plugin-verify audit key log.key
///
/// Exit status: 0 printed, 2 the secrets could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArguments {
    /// File with the secrets of the log
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn generate(arguments: &GenerateArguments) -> Exit {
    let made = LogKey::create(&arguments.file, &arguments.origin);
    print_public("audit keygen", &arguments.file, arguments.format, made)
}

pub(crate) fn show(arguments: &ShowArguments) -> Exit {
    print_public("audit key", &arguments.file, arguments.format, LogKey::read(&arguments.file))
}

fn print_public(
    verb: &'static str,
    file: &std::path::Path,
    format: OutputFormat,
    key: Result<LogKey, LogKeyError>,
) -> Exit {
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

/// Print the keyed hash of a value, as it appears in a log
///
/// A log stores values as HMAC-SHA-256 under a secret key of the log. The owner of the key can
/// search for a value; other readers of the log cannot tell which value it was.
///
/// Example: plugin-verify audit hash --key log.key my-secret-name
///
/// Exit status: 0 printed, 2 the secrets or the value could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct HashArguments {
    /// File with the secrets of the log
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// The value; - reads it from standard input, hidden from other users
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
    let mut hasher = key.keyed_hasher();
    if arguments.value == "-" {
        let mut piece = vec![0; 64 * 1024];
        let mut stdin = std::io::stdin().lock();
        loop {
            match stdin.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => hasher.update(&piece[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let problem = Problem::of(&error).within("standard input");
                    return OUTPUT.failed("audit hash", arguments.format, &problem);
                }
            }
        }
    } else {
        hasher.update(arguments.value.as_bytes());
    }
    let hash = hasher.finish().to_string();
    if arguments.format.json {
        return OUTPUT.json("audit hash", Exit::Success, [("hash", hash.into())]);
    }
    OUTPUT.print(format!("{hash}\n"), Exit::Success)
}
