//! `plugin-verify audit verify`: whether a log is what its writer wrote. Says what the library
//! found, and decides nothing.

use std::fmt::{self, Write as _};

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use portcullis::audit::verifier::{TrustedCheckpoint, VerificationReport, verify};
use serde_json::{Map, Value, json};

use super::LogArguments;
use crate::OUTPUT;

/// Examine a log: every record, every checkpoint, nothing missing that a checkpoint knows of
///
/// Names the first record that is not as it was written. Without --key the log is held against the
/// key that it names itself: then it may have been written anew from the beginning by somebody
/// else. Without a checkpoint that was kept elsewhere nobody can tell whether records were cut off
/// at the end.
///
/// Records at the end that no checkpoint is over are refused too: whoever may write to the log may
/// have written them. There are some while a host writes the log, and when it was killed; the next
/// one that opens the log vouches for them.
///
/// Exit status: 0 intact, 1 not intact, 2 could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: LogArguments,

    /// Take records at the end that nobody vouches for as they are: the log is being written, or
    /// its host was killed
    #[arg(long)]
    allow_unvouched: bool,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let Arguments { subject, allow_unvouched, format } = arguments;
    let trust = match subject.trust() {
        Ok(trust) => trust,
        Err(problem) => return OUTPUT.failed("audit verify", *format, &problem),
    };
    let found = match verify(&subject.log, &trust) {
        Ok(found) => found,
        Err(error) => return OUTPUT.failed("audit verify", *format, &Problem::of(&error)),
    };
    let is_vouched = *allow_unvouched || found.uncovered() == 0;
    let exit = if is_vouched { exit(&found) } else { Exit::Refused };
    if format.json {
        let log = Escaped::path(&subject.log).to_string();
        return OUTPUT.json("audit verify", exit, [("log", Value::from(log)), ("examination", facts(&found).into())]);
    }
    let verdict = match (found.is_intact(), is_vouched) {
        (true, true) => "INTACT",
        (true, false) => "NOT VOUCHED FOR TO ITS END",
        (false, _) => "NOT INTACT",
    };
    OUTPUT.print(format!("{}: {verdict}\n{}", Escaped::path(&subject.log), Found(&found)), exit)
}

pub(crate) fn exit(found: &VerificationReport) -> Exit {
    if found.is_intact() { Exit::Success } else { Exit::Refused }
}

/// What was found, for people: a line for each fact below the verdict.
pub(crate) struct Found<'a>(pub(crate) &'a VerificationReport);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.0;
        writeln!(f, "  records    {}", Records(found))?;
        if let (Some(origin), Some(key)) = (&found.origin, &found.key) {
            let whose =
                if found.is_key_trusted { "the key that was asked for" } else { "the key that the log names itself" };
            writeln!(f, "  log        {}", Escaped::new(origin))?;
            writeln!(f, "  signed by  {whose}: {}", Escaped::new(&key.to_string()))?;
        }
        match found.good.covered {
            Some(size) => writeln!(
                f,
                "  vouched    the first {size} records, by the last of {} checkpoints",
                found.totals.checkpoints
            )?,
            None => writeln!(f, "  vouched    none: there is no checkpoint")?,
        }
        let uncovered = found.uncovered();
        if uncovered > 0 {
            writeln!(
                f,
                "  UNVOUCHED  the last {uncovered} records: whoever may write to the log may have written them"
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
                "             the first {sure} records are vouched for; nothing is known from record {} on",
                damaged.index
            )?;
        }
        if let Some(unfinished) = &found.torn_tail {
            let file = Escaped::path(&unfinished.file);
            writeln!(
                f,
                "  UNFINISHED the last line of {file}, line {}: its writer was killed, or writes now",
                unfinished.line
            )?;
        }
        found.trusted_checkpoints.iter().try_for_each(|witness| writeln!(f, "  {}", Told(witness)))?;
        self.account(f)
    }
}

impl Found<'_> {
    fn account(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = &self.0.totals;
        let told = [
            (account.torn, "times a killed writer left something unfinished, which was put aside"),
            (account.lost, "records were lost, because nobody waited for them"),
            (account.undelivered, "copies or checkpoints did not arrive elsewhere"),
            (account.open_calls().count() as u64, "calls have no outcome in the log"),
            (account.open_launches().count() as u64, "launches have no end in the log"),
        ];
        for (count, what) in told.into_iter().filter(|(count, _)| *count > 0) {
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
            write!(f, "; those before were moved away")?;
        }
        Ok(())
    }
}

struct Told<'a>(&'a TrustedCheckpoint);

impl fmt::Display for Told<'_> {
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

/// The same for programs.
pub(crate) fn facts(found: &VerificationReport) -> Map<String, Value> {
    let damaged = found.damaged.as_ref().map(|damaged| {
        json!({
            "file": Escaped::path(&damaged.file).to_string(), "line": damaged.line, "offset": damaged.offset,
            "seq": damaged.index, "vouched": damaged.covered, "fault": damaged.fault.to_string(),
        })
    });
    let unfinished = found.torn_tail.as_ref().map(|unfinished| {
        json!({
            "file": Escaped::path(&unfinished.file).to_string(), "line": unfinished.line, "offset": unfinished.offset,
        })
    });
    let witnesses: Vec<_> = found.trusted_checkpoints.iter().map(witness).collect();
    let account = &found.totals;
    let facts = json!({
        "intact": found.is_intact(), "first": found.first, "next": found.next, "root": found.root.to_string(),
        "origin": found.origin.as_deref().map(|origin| Escaped::new(origin).to_string()),
        "key": found.key.as_ref().map(|key| Escaped::new(&key.to_string()).to_string()), "key_was_asked_for": found.is_key_trusted,
        "vouched": found.good.covered, "uncovered": found.uncovered(), "first_time": found.good.first_time, "last_time": found.good.last_time,
        "damaged": damaged, "unfinished": unfinished, "checkpoints": witnesses, "kinds": account.kinds,
        "openings": account.openings, "torn": account.torn, "lost": account.lost, "undelivered": account.undelivered,
        "calls_without_outcome": account.open_calls().count(), "launches_without_end": account.open_launches().count(),
    });
    facts.as_object().cloned().unwrap_or_default()
}

fn witness(witness: &TrustedCheckpoint) -> Value {
    json!({
        "name": witness.name, "size": witness.checkpoint.as_ref().map(|checkpoint| checkpoint.size),
        "agrees": witness.fault.is_none(), "fault": witness.fault.as_ref().map(ToString::to_string),
    })
}

/// What makes a log not intact, on one line, if it is not.
pub(crate) fn trouble(found: &VerificationReport) -> Option<String> {
    let mut text = String::new();
    if let Some(damaged) = &found.damaged {
        // Writing to a string does not fail.
        let _ = write!(text, "damaged at record {}: {}", damaged.index, damaged.fault);
    } else if let Some(unfinished) = &found.torn_tail {
        let _ = write!(text, "line {} of {} is unfinished", unfinished.line, Escaped::path(&unfinished.file));
    } else if let Some(disagrees) = found.trusted_checkpoints.iter().find(|witness| witness.fault.is_some()) {
        let _ = write!(text, "{}", Told(disagrees));
    } else if found.origin.is_none() {
        text.push_str("it has no records");
    }
    (!text.is_empty()).then_some(text)
}
