//! `kv-host audit`: whether the log is what this host wrote, and what it says of one key. For
//! whoever has the secrets of the log.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use portcullis::Escaped;
use portcullis::audit::verifier::{Examination, Trust, examine_with};
use portcullis::audit::{LogKey, Record};
use portcullis::event::{Event, KeyedHash};

use super::{Place, with_suffix};
use crate::OUTPUT;

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Find out whether the log is what the host wrote, up to its latest checkpoint at least
    Verify,
    /// Print the calls in the log, a line for each record
    Show {
        /// Only calls about this key of the store
        #[arg(long, value_name = "KEY")]
        of: Option<String>,
    },
}

/// Examines the log that belongs to the values in `data`.
pub(crate) fn run(place: &Place, data: &Path, command: &AuditCommand) -> Result<()> {
    let path = place.log(data);
    let key = LogKey::read(with_suffix(&path, ".key"))?;
    let mut trust = Trust::nothing().key(key.verifier().clone());
    let checkpoint = with_suffix(&path, ".checkpoint");
    match std::fs::read_to_string(&checkpoint) {
        Ok(note) => trust = trust.checkpoint(Escaped::path(&checkpoint).to_string(), note),
        // A host that was killed at once has none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", Escaped::path(&checkpoint))),
    }
    let mut shown = Shown { of: None, calls: Vec::new(), out: BufWriter::new(io::stdout()), written: Ok(()) };
    let examination = match command {
        AuditCommand::Verify => examine_with(&path, &trust, |_, _| ())?,
        AuditCommand::Show { of } => {
            shown.of = of.as_ref().map(|of| key.keyed_hash(of.as_bytes()));
            examine_with(&path, &trust, |_, record| shown.take(record))?
        }
    };
    shown.finish()?;
    refuse_damaged(&path, &examination)?;
    if matches!(command, AuditCommand::Verify) {
        println!("{}: intact, {} records", Escaped::path(&path), examination.next);
        if examination.unvouched() > 0 {
            // While a host writes, and after one was killed. The next that opens the log vouches
            // for them.
            println!("  nobody vouches for the last {} of them yet", examination.unvouched());
        }
    }
    Ok(())
}

/// The log is not what the host wrote.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotIntact(String);

fn refuse_damaged(path: &Path, examination: &Examination) -> Result<()> {
    let path = Escaped::path(path);
    let disagrees = examination.witnesses.iter().find_map(|witness| Some((witness, witness.fault.as_ref()?)));
    if let Some(damaged) = &examination.damaged {
        bail!(NotIntact(format!("{path}: damaged at record {}: {}", damaged.seq, damaged.fault)));
    }
    if let Some((witness, fault)) = disagrees {
        bail!(NotIntact(format!("{path}: it disagrees with {}: {fault}", witness.name)));
    }
    // The host may be writing now, and one that was killed puts this aside when it starts again.
    if examination.unfinished.is_some() {
        OUTPUT.warn(format_args!("{path}: the last record is unfinished"));
    }
    if examination.origin.is_none() {
        bail!(NotIntact(format!("{path}: it has no records")));
    }
    Ok(())
}

/// The records of calls, printed as they come.
struct Shown {
    of: Option<KeyedHash>,
    /// The calls that are about the key.
    calls: Vec<(String, u64)>,
    out: BufWriter<io::Stdout>,
    written: io::Result<()>,
}

impl Shown {
    fn take(&mut self, record: Option<&Record>) {
        let Some((record, event)) = record.and_then(|record| Some((record, record.event()?))) else { return };
        let told = match event {
            Event::Call(call) => {
                let about = self.of.is_none_or(|of| call.arguments.values().any(|hash| *hash == of));
                let id = (call.launch.to_string(), call.call);
                if about && self.of.is_some() {
                    self.calls.push(id);
                }
                about.then(|| format!("call     {} #{}, {} bytes", call.method, call.call, call.request.bytes))
            }
            Event::Returned(returned) => {
                let id = (returned.launch.to_string(), returned.call);
                let about = self.of.is_none() || self.calls.contains(&id);
                self.calls.retain(|call| *call != id);
                let (method, call, outcome) = (&returned.method, returned.call, &returned.outcome);
                about.then(|| format!("returned {method} #{call} {outcome}, {} bytes", returned.response.bytes))
            }
            _ => None,
        };
        if let Some(told) = told.filter(|_| self.written.is_ok()) {
            self.written = writeln!(self.out, "{:>8} {} {}", record.seq(), record.time(), Escaped::new(&told));
        }
    }

    fn finish(mut self) -> Result<()> {
        self.written.and_then(|()| self.out.flush()).context("cannot write the result")
    }
}
