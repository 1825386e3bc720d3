//! `plugin-verify sign`: signature files beside the files that they sign. Verifies nothing.

use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::authoring::sign::{KeyFile, SecretKey, SignError};
use portcullis::{Chain, Escaped};
use serde_json::{Value, json};

use crate::OUTPUT;
use crate::files;
use crate::files::with_suffix;
use crate::password::{self, PasswordError};

/// Sign files
///
/// Writes the signature of each FILE to FILE.minisig, in the format of minisign, which verifies it
/// with: minisign -V -p KEY.pub -m FILE. The trusted comment, which is signed too, holds the time
/// and the file name.
///
/// A file that cannot be signed is reported on standard error, and the others are still signed.
///
/// Example: plugin-verify sign --key release.key kv.manifest.toml
///
/// Exit status: 0 all signed, 2 a file could not be signed.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Secret key file; no other user may have access to it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    #[command(flatten)]
    password: password::PasswordSource,

    /// Trusted comment to sign, instead of the time and the file name
    #[arg(long, value_name = "TEXT")]
    trusted_comment: Option<String>,

    /// Replace existing signatures
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    format: OutputFormat,

    /// The files to sign
    #[arg(required = true, value_name = "FILE")]
    files: Vec<OsString>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let key = match open(arguments) {
        Ok(key) => key,
        Err(error) => return OUTPUT.failed("sign", arguments.format, &problem(&*error)),
    };
    let mut exit = Exit::Success;
    let mut signed = Vec::new();
    for name in &arguments.files {
        let target = with_suffix(name, ".minisig");
        let result = sign(arguments, &key, Path::new(name), &target);
        if result.is_err() {
            exit = exit.and(Exit::Failed);
        }
        let (name, target) = (Escaped::path(Path::new(name)), Escaped::path(&target));
        match result {
            result if arguments.format.json => signed.push(entry(name, target, result)),
            Ok(()) => {
                let written = OUTPUT.write(format!("{name}: signed in {target}\n"));
                if written.is_err() {
                    exit = OUTPUT.finish(exit, written);
                }
            }
            Err(error) => OUTPUT.warn(format_args!("{name}: {}", Chain::of(&*error))),
        }
    }
    if arguments.format.json {
        let id = key.public_key().id().to_string();
        return OUTPUT.json("sign", exit, [("key_id", id.into()), ("files", signed.into())]);
    }
    exit
}

fn open(arguments: &Arguments) -> Result<SecretKey, Box<dyn Error>> {
    let file = KeyFile::read(&arguments.key)?;
    let needs_password = file.is_encrypted() || arguments.password.is_named();
    let password = if needs_password { Some(arguments.password.existing()?) } else { None };
    Ok(file.open(password.as_ref())?)
}

fn sign(arguments: &Arguments, key: &SecretKey, file: &Path, target: &Path) -> Result<(), Box<dyn Error>> {
    if !arguments.force && target.symlink_metadata().is_ok() {
        return Err(Exists.into());
    }
    let trusted = arguments.trusted_comment.clone().unwrap_or_else(|| comment(file));
    let untrusted = format!("signature by key {}", key.public_key().id());
    let signature = key.sign(File::open(file)?, &trusted, &untrusted)?;
    Ok(files::write(signature.as_bytes(), target, arguments.force)?)
}

/// The trusted comment that minisign would write.
fn comment(file: &Path) -> String {
    // A clock before 1970 counts as 1970: the comment is information only.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let name = file.file_name().unwrap_or_default();
    format!("timestamp:{now}\tfile:{}\thashed", Escaped::path(Path::new(name)))
}

#[derive(Debug)]
struct Exists;

impl std::fmt::Display for Exists {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the signature already exists; --force replaces it")
    }
}

impl Error for Exists {}

/// The problem of a signing error, with the code that the library gives it.
pub(crate) fn problem(error: &(dyn Error + 'static)) -> Problem {
    let sign = error.downcast_ref::<SignError>().or_else(|| match error.downcast_ref() {
        Some(PasswordError::Unfit(error)) => Some(error),
        _ => None,
    });
    match (sign, error.downcast_ref()) {
        (Some(error), _) => Problem::of(error).with_code(error.code()),
        (None, Some(Exists)) => Problem::new("exists", Exists),
        (None, None) => Problem::of(error),
    }
}

fn entry(file: Escaped<'_>, target: Escaped<'_>, result: Result<(), Box<dyn Error>>) -> Value {
    match result {
        Ok(()) => {
            json!({"file": file.to_string(), "outcome": Exit::Success.word(), "signature_file": target.to_string()})
        }
        Err(error) => {
            let mut entry = problem(&*error).object(Exit::Failed);
            entry.insert("file".into(), file.to_string().into());
            entry.insert("outcome".into(), Exit::Failed.word().into());
            entry.into()
        }
    }
}
