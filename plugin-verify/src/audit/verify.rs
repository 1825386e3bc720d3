//! `plugin-verify audit verify`: whether a log is as its host wrote it. Prints the result of the
//! library and decides nothing.

use std::fmt::{self, Write as _};

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use portcullis::audit::verifier::{TrustedCheckpoint, VerificationReport, verify};
use serde_json::{Map, Value, json};

use super::LogArguments;
use crate::OUTPUT;

/// Verify every record and checkpoint of a log
///
/// Names the first record that is not as it was written. Without --key, the log is verified against
/// the key that it names itself, so an attacker could have rewritten all of it with another key.
/// Without --checkpoint, records could have been cut off at the end.
///
/// Records after the last checkpoint are refused, because anyone who can write to the file could
/// have added them. A log has such records while its host writes it, and after the host was killed;
/// the next host that opens the log covers them with a checkpoint.
///
/// Example: plugin-verify audit verify --key "$LOG_KEY" --checkpoint log.checkpoint log
///
/// Exit status: 0 intact, 1 not intact, 2 the log could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: LogArguments,

    /// Accept records after the last checkpoint: the log is being written, or its host was killed
    #[arg(long)]
    allow_uncovered: bool,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let Arguments { subject, allow_uncovered, format } = arguments;
    let trust = match subject.trust() {
        Ok(trust) => trust,
        Err(problem) => return OUTPUT.failed("audit verify", *format, &problem),
    };
    let found = match verify(&subject.log, &trust) {
        Ok(found) => found,
        Err(error) => return OUTPUT.failed("audit verify", *format, &Problem::of(&error)),
    };
    let is_covered = *allow_uncovered || found.uncovered() == 0;
    let exit = if is_covered { exit(&found) } else { Exit::Refused };
    if format.json {
        let log = Escaped::path(&subject.log).to_string();
        return OUTPUT.json("audit verify", exit, [("log", Value::from(log)), ("verification", facts(&found).into())]);
    }
    let verdict = match (found.is_intact(), is_covered) {
        (true, true) => "INTACT",
        (true, false) => "NOT COVERED TO ITS END",
        (false, _) => "NOT INTACT",
    };
    OUTPUT.print(format!("{}: {verdict}\n{}", Escaped::path(&subject.log), Found(&found)), exit)
}

pub(crate) fn exit(found: &VerificationReport) -> Exit {
    if found.is_intact() { Exit::Success } else { Exit::Refused }
}

/// The result for people: a line for each fact, below the verdict.
pub(crate) struct Found<'a>(pub(crate) &'a VerificationReport);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.0;
        writeln!(f, "  records    {}", Records(found))?;
        if let (Some(origin), Some(key)) = (&found.origin, &found.key) {
            let whose = if found.is_key_trusted { "the trusted key" } else { "the key that the log names itself" };
            writeln!(f, "  log        {}", Escaped::new(origin))?;
            writeln!(f, "  signed by  {whose}: {}", Escaped::new(&key.to_string()))?;
        }
        match found.good.covered {
            Some(size) => writeln!(
                f,
                "  covered    the first {size} records, by the last of {} checkpoints",
                found.totals.checkpoints
            )?,
            None => writeln!(f, "  covered    none: there is no checkpoint")?,
        }
        let uncovered = found.uncovered();
        if uncovered > 0 {
            writeln!(
                f,
                "  UNCOVERED  the last {uncovered} records: anyone who can write to the file could have added them"
            )?;
        }
        writeln!(f, "  root       {}", found.root)?;
        if let Some(damaged) = &found.damaged {
            let file = Escaped::path(&damaged.file);
            writeln!(f, "  DAMAGED    at record {}: {file}:{}, byte {}", damaged.index, damaged.line, damaged.offset)?;
            writeln!(f, "             {}", damaged.fault)?;
            let sure = damaged.covered.unwrap_or(0);
            writeln!(
                f,
                "             the first {sure} records are covered by a checkpoint; nothing is known from record {} on",
                damaged.index
            )?;
        }
        if let Some(unfinished) = &found.torn_tail {
            let file = Escaped::path(&unfinished.file);
            writeln!(
                f,
                "  UNFINISHED the last line of {file}, line {}: its writer was killed, or is writing now",
                unfinished.line
            )?;
        }
        found.trusted_checkpoints.iter().try_for_each(|checkpoint| writeln!(f, "  {}", CheckpointLine(checkpoint)))?;
        self.account(f)
    }
}

impl Found<'_> {
    fn account(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = &self.0.totals;
        let notes = [
            (account.torn, "times a killed writer left a torn record, which was quarantined"),
            (account.lost, "records could not be written and were lost"),
            (account.undelivered, "copies or checkpoints were not delivered"),
            (account.open_calls().count() as u64, "calls have no recorded outcome"),
            (account.open_launches().count() as u64, "launches have no recorded end"),
        ];
        for (count, what) in notes.into_iter().filter(|(count, _)| *count > 0) {
            writeln!(f, "  note       {count} {what}")?;
        }
        Ok(())
    }
}

struct Records<'a>(&'a VerificationReport);

impl fmt::Display for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.0;
        match found.next.checked_sub(1).filter(|last| *last >= found.first) {
            Some(last) => write!(f, "{} to {last}", found.first)?,
            None => return f.write_str("none"),
        }
        if let (Some(first), Some(last)) = (&found.good.first_time, &found.good.last_time) {
            write!(f, ", {first} to {last}")?;
        }
        if found.first > 0 {
            write!(f, "; earlier segments are not in this directory")?;
        }
        Ok(())
    }
}

struct CheckpointLine<'a>(&'a TrustedCheckpoint);

impl fmt::Display for CheckpointLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TrustedCheckpoint { name, checkpoint, fault, .. } = self.0;
        f.write_str(if fault.is_some() { "DISAGREES  " } else { "agrees     " })?;
        write!(f, "{name}")?;
        if let Some(checkpoint) = checkpoint {
            write!(f, ", a checkpoint over {} records", checkpoint.size)?;
        }
        fault.as_ref().map_or(Ok(()), |fault| write!(f, ": {fault}"))
    }
}

/// The result for programs.
pub(crate) fn facts(found: &VerificationReport) -> Map<String, Value> {
    let damaged = found.damaged.as_ref().map(|damaged| {
        json!({
            "file": Escaped::path(&damaged.file).to_string(), "line": damaged.line, "offset": damaged.offset,
            "index": damaged.index, "covered": damaged.covered, "fault": damaged.fault.to_string(),
        })
    });
    let unfinished = found.torn_tail.as_ref().map(|unfinished| {
        json!({
            "file": Escaped::path(&unfinished.file).to_string(), "line": unfinished.line, "offset": unfinished.offset,
        })
    });
    let checkpoints: Vec<_> = found.trusted_checkpoints.iter().map(trusted_checkpoint).collect();
    let account = &found.totals;
    let facts = json!({
        "intact": found.is_intact(), "first": found.first, "next": found.next, "root": found.root.to_string(),
        "origin": found.origin.as_deref().map(|origin| Escaped::new(origin).to_string()),
        "key": found.key.as_ref().map(|key| Escaped::new(&key.to_string()).to_string()), "key_is_trusted": found.is_key_trusted,
        "covered": found.good.covered, "uncovered": found.uncovered(), "first_time": found.good.first_time, "last_time": found.good.last_time,
        "damaged": damaged, "unfinished": unfinished, "checkpoints": checkpoints, "kinds": account.kinds,
        "openings": account.openings, "torn": account.torn, "lost": account.lost, "undelivered": account.undelivered,
        "calls_without_outcome": account.open_calls().count(), "launches_without_end": account.open_launches().count(),
    });
    facts.as_object().cloned().unwrap_or_default()
}

fn trusted_checkpoint(trusted: &TrustedCheckpoint) -> Value {
    json!({
        "name": trusted.name, "size": trusted.checkpoint.as_ref().map(|checkpoint| checkpoint.size),
        "agrees": trusted.fault.is_none(), "fault": trusted.fault.as_ref().map(ToString::to_string),
    })
}

/// Why a log is not intact, on one line.
pub(crate) fn trouble(found: &VerificationReport) -> Option<String> {
    let mut text = String::new();
    if let Some(damaged) = &found.damaged {
        // Writing to a String cannot fail.
        let _ = write!(text, "damaged at record {}: {}", damaged.index, damaged.fault);
    } else if let Some(unfinished) = &found.torn_tail {
        let _ = write!(text, "line {} of {} is unfinished", unfinished.line, Escaped::path(&unfinished.file));
    } else if let Some(disagrees) = found.trusted_checkpoints.iter().find(|trusted| trusted.fault.is_some()) {
        let _ = write!(text, "{}", CheckpointLine(disagrees));
    } else if found.origin.is_none() {
        text.push_str("the log has no records");
    }
    (!text.is_empty()).then_some(text)
}
