//! `plugin-verify audit report`: an HTML page about a log, for people. Prints the result of the
//! library and the verified records; decides nothing.

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

/// The first bytes of every report. Only a file that starts with them is replaced.
const BEGINNING: &str = "<!DOCTYPE html>";

/// Write an HTML report about a log
///
/// The report states first whether the log is intact, as `audit verify` does. Then it summarizes
/// the verified records: the plugins that ran with their attestations, the refusals with their
/// reasons, the outcomes of calls, and the missing records. Long lists are cut, and say so.
///
/// It is one HTML file that loads and runs nothing. It proves nothing: only the log does.
///
/// Example: plugin-verify audit report --key "$LOG_KEY" -o report.html log
///
/// Exit status: 0 intact, 1 not intact (the report is written and says so), 2 the log could not be
/// read or the report not written.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: LogArguments,

    /// Write the report to FILE, mode 0600, instead of to standard output; an existing report is
    /// replaced, any other file is not
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
        ("verification", verify::facts(found).into()),
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

/// Whether the target is missing or a report. A log, its key or a device must not be overwritten by
/// a mistyped name.
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
