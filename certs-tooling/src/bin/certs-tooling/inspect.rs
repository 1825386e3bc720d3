//! `certs-tooling inspect` and `fingerprint`: the contents of certificates. Gives no verdict.

use std::fmt::Write;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use certs_tooling::{Authority, Certificate, FILE_LIMIT, Inspection};
use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use serde_json::{Value, json};

use crate::{OUTPUT, problem};

/// Show the contents of certificates
///
/// Reads PEM with any number of certificates, DER, or the sixth field of a handshake line. A remark
/// is a property to know before relying on a certificate; it is not a verdict, and does not change
/// the exit status.
///
/// A file that cannot be read is reported on standard error, and the others are still shown.
///
/// Example: certs-tooling inspect pki/host.pem
///
/// Exit status: 0 all shown, 2 a file could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The files to read; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    format: OutputFormat,
}

/// Print the SHA-256 of certificates and of their public keys
///
/// The second digest covers the SubjectPublicKeyInfo: it stays the same when a certificate is
/// renewed for the same key.
///
/// A file that cannot be read is reported on standard error, and the others are still shown.
///
/// Example: certs-tooling fingerprint pki/host.pem
///
/// Exit status: 0 all shown, 2 a file could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct FingerprintArguments {
    /// The files to read, as for `inspect`; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    each("inspect", &arguments.files, arguments.format, ToString::to_string, facts)
}

pub(crate) fn fingerprint(arguments: &FingerprintArguments) -> Exit {
    let text =
        |seen: &Inspection| format!("  sha256       {}\n  key sha256   {}\n", seen.fingerprint, seen.key_fingerprint);
    each("fingerprint", &arguments.files, arguments.format, text, fingerprints)
}

/// Prints every certificate of every file. A file that cannot be read does not stop the others.
fn each(
    verb: &str,
    files: &[PathBuf],
    format: OutputFormat,
    text: impl Fn(&Inspection) -> String,
    json: impl Fn(&Inspection) -> Vec<(&'static str, Value)>,
) -> Exit {
    let (mut exit, mut documents, mut lines) = (Exit::Success, Vec::new(), String::new());
    for path in files {
        let name = Escaped::path(path).to_string();
        let seen = inspect(path);
        for (place, seen) in seen {
            let mut document = vec![("file", Value::from(name.clone()))];
            match seen {
                Ok(seen) => {
                    let _ = write!(lines, "{place}\n{}", text(&seen));
                    document.extend(json(&seen));
                }
                Err(error) => {
                    OUTPUT.warn(&error);
                    document.extend(error.members(Exit::Failed));
                    exit = Exit::Failed;
                }
            }
            documents.push(document.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        }
    }
    if format.json {
        return OUTPUT.json(verb, exit, vec![("certificates", Value::Array(documents))]);
    }
    OUTPUT.print(lines, exit)
}

/// The certificates of a file, each with its label, or the problem.
fn inspect(path: &Path) -> Vec<(String, Result<Inspection, Problem>)> {
    let name = Escaped::path(path).to_string();
    let certificates = match read(path) {
        Ok(certificates) => certificates,
        Err(error) => return vec![(name, Err(error))],
    };
    let count = certificates.len();
    let look = |(index, certificate): (usize, &Certificate)| {
        let place = if count == 1 { name.clone() } else { format!("{name}, certificate {} of {count}", index + 1) };
        let seen = Inspection::of(certificate).map_err(|error| problem(&error).within(&place));
        (place, seen)
    };
    certificates.iter().enumerate().map(look).collect()
}

/// The certificates of a file. A problem names the file.
fn read(path: &Path) -> Result<Vec<Certificate>, Problem> {
    if path != Path::new("-") {
        return certs_tooling::read(path).map_err(|error| problem(&error));
    }
    let mut bytes = Vec::new();
    // One byte above the limit, so that the library refuses a longer input.
    let read = io::stdin().lock().take(FILE_LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(|error| problem(&error).within("standard input"))?;
    certs_tooling::parse(&bytes).map_err(|error| problem(&error).within("standard input"))
}

fn fingerprints(seen: &Inspection) -> Vec<(&'static str, Value)> {
    vec![("sha256", seen.fingerprint.to_string().into()), ("key_sha256", seen.key_fingerprint.to_string().into())]
}

fn facts(seen: &Inspection) -> Vec<(&'static str, Value)> {
    let (ca, path_length) = match seen.authority {
        Authority::Ca { path_length } => (true, path_length),
        _ => (false, None),
    };
    let remarks: Vec<_> = seen.remarks.iter().map(ToString::to_string).collect();
    let mut facts = vec![
        ("subject", seen.subject.as_str().into()),
        ("issuer", seen.issuer.as_str().into()),
        ("self_signed", seen.self_signed.to_string().into()),
        ("serial", seen.serial.as_str().into()),
        ("not_before", seen.not_before().into()),
        ("not_after", seen.not_after().into()),
        ("alternative_names", json!(seen.alternative_names)),
        ("key_algorithm", seen.key.algorithm.as_str().into()),
        ("key_bits", seen.key.bits.into()),
        ("signature_algorithm", seen.signature_algorithm.as_str().into()),
        ("key_usages", json!(seen.key_usages)),
        ("extended_key_usages", json!(seen.extended_key_usages)),
        ("key_identifier", json!(seen.key_identifier)),
        ("ca", ca.into()),
        ("path_length", path_length.into()),
        ("remarks", json!(remarks)),
    ];
    facts.extend(fingerprints(seen));
    facts
}
