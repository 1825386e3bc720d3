//! `plugin-verify audit report`: a log on one page that a person can read. Shows what the library
//! found, and what the good records say; judges nothing.

mod bounded;
mod calls;
mod chart;
mod numbers;
mod page;
mod processes;
mod summary;
mod tables;
mod timeline;
mod untrusted;
mod verdict;

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use portcullis::audit::verifier::{VerificationReport, verify_records};
use portcullis::fs::{FileMode, RegularFileError, Symlinks, open_regular, replace_file};
use serde_json::Value;

use self::summary::LogSummary;

use crate::OUTPUT;
use crate::audit::{LogArguments, verify};

const VERB: &str = "audit report";

/// What every page begins with, and nothing else that is replaced.
const BEGINNING: &str = "<!DOCTYPE html>";

/// Write a page about a log that a person can read
///
/// The page says first whether the log is intact, as `audit verify` does, and then what its good
/// records say: which plugins ran and who vouched for them, what was refused and why, how calls
/// went, and what is missing. Of what there is much of it shows a part and says so.
///
/// It is one file of HTML that loads nothing and runs nothing. It proves nothing either: the log
/// does.
///
/// Exit status: 0 intact, 1 not intact (the page is written and says so), 2 could not be read or
/// written.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: LogArguments,

    /// Write the page to FILE, for this user alone, instead of to standard output. A page that is
    /// there is replaced, and nothing else is
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    report(arguments).unwrap_or_else(|problem| OUTPUT.failed(VERB, arguments.format, &problem))
}

fn report(arguments: &Arguments) -> Result<Exit, Problem> {
    let Arguments { subject, output: target, format } = arguments;
    let trust = subject.trust()?;
    let mut summary = LogSummary::default();
    let found = verify_records(&subject.log, &trust, |record| summary.take(record));
    let found = found.map_err(|error| Problem::of(&error))?;
    let page = page::page(&subject.log, &found, &summary);
    if let Some(target) = target {
        write(&page, target)?;
    }
    let exit = verify::exit(&found);
    if format.json {
        return Ok(document(arguments, &found, page, exit));
    }
    if let Some(trouble) = verify::trouble(&found) {
        OUTPUT.warn(format_args!("the log is not intact: {trouble}"));
    }
    Ok(match target {
        Some(_) => exit,
        None => OUTPUT.print(page, exit),
    })
}

fn document(arguments: &Arguments, found: &VerificationReport, page: String, exit: Exit) -> Exit {
    let shown = |path: &PathBuf| Value::from(Escaped::path(path).to_string());
    let target = arguments.output.as_ref();
    let body = [
        ("log", shown(&arguments.subject.log)),
        ("file", target.map(shown).into()),
        ("page", target.is_none().then_some(page).into()),
        ("examination", verify::facts(found).into()),
    ];
    OUTPUT.json(VERB, exit, body)
}

fn write(page: &str, target: &Path) -> Result<(), Problem> {
    let name = Escaped::path(target);
    match is_replaceable(target) {
        Ok(true) => replace_file(target, FileMode::Exact(0o600), page.as_bytes()),
        Ok(false) => {
            let message =
                format_args!("{name} exists and is not an audit report: only reports are replaced").to_string();
            return Err(Problem::new("exists", message));
        }
        Err(error) => Err(error),
    }
    .map_err(|error| Problem::of(&error).within(format_args!("cannot write {name}")))
}

/// Whether nothing is lost when a page takes this place: a log, its key or a device must not be
/// overwritten by a slip of the hand.
fn is_replaceable(target: &Path) -> io::Result<bool> {
    match open_regular(target, Symlinks::Refuse) {
        Ok(file) => {
            let mut start = Vec::new();
            file.take(BEGINNING.len() as u64).read_to_end(&mut start)?;
            Ok(start == BEGINNING.as_bytes())
        }
        Err(RegularFileError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(RegularFileError::Io(error)) => Err(error),
        Err(_) => Ok(false),
    }
}
