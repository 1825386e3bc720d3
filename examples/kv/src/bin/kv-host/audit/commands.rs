//! `kv-host audit`: verifies the log, and shows the calls about one key. Needs the secrets of the
//! log, so it is for the operator of the host; `plugin-verify audit` needs none.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use portcullis::Escaped;
use portcullis::audit::verifier::{TrustAnchors, VerificationReport, verify_lines};
use portcullis::audit::{LogKey, Record};
use portcullis::event::{Event, KeyedHash};

use super::{LogLocation, with_suffix};
use crate::OUTPUT;

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Verify that the log holds exactly the records that the host wrote
    Verify,
    /// Print the calls in the log, one line for each record
    Show {
        /// Print only calls about this key of the store
        #[arg(long, value_name = "KEY")]
        of: Option<String>,
    },
}

/// Verifies the log for the values in `data`, and shows its calls if the command says so.
pub(crate) fn run(location: &LogLocation, data: &Path, command: &AuditCommand) -> Result<()> {
    let path = location.path(data);
    let key = LogKey::read(with_suffix(&path, ".key"))?;
    let mut trust = TrustAnchors::none().key(key.verifier().clone());
    let checkpoint = with_suffix(&path, ".checkpoint");
    match std::fs::read_to_string(&checkpoint) {
        Ok(note) => trust = trust.checkpoint(Escaped::path(&checkpoint).to_string(), note),
        // A host that was killed before its first checkpoint leaves none.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", Escaped::path(&checkpoint))),
    }
    let mut printer = CallPrinter { of: None, calls: Vec::new(), out: BufWriter::new(io::stdout()), written: Ok(()) };
    let examination = match command {
        AuditCommand::Verify => verify_lines(&path, &trust, |_, _| ())?,
        AuditCommand::Show { of } => {
            printer.of = of.as_ref().map(|of| key.keyed_hash(of.as_bytes()));
            verify_lines(&path, &trust, |_, record| printer.take(record))?
        }
    };
    printer.finish()?;
    refuse_damaged(&path, &examination)?;
    if matches!(command, AuditCommand::Verify) {
        println!("{}: intact, {} records", Escaped::path(&path), examination.next);
        if examination.uncovered() > 0 {
            // True while a host writes, and after one was killed. The next host that opens the log
            // checks these records by their MACs and covers them.
            println!("  the last {} records are not covered by a checkpoint yet", examination.uncovered());
        }
    }
    Ok(())
}

/// The log was changed, or is not the log of the checkpoint. Verification failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LogNotIntact(String);

fn refuse_damaged(path: &Path, examination: &VerificationReport) -> Result<()> {
    let path = Escaped::path(path);
    let disagrees = examination.trusted_checkpoints.iter().find_map(|witness| Some((witness, witness.fault.as_ref()?)));
    if let Some(damaged) = &examination.damaged {
        bail!(LogNotIntact(format!("{path}: damaged at record {}: {}", damaged.index, damaged.fault)));
    }
    if let Some((witness, fault)) = disagrees {
        bail!(LogNotIntact(format!("{path}: contradicts {}: {fault}", witness.name)));
    }
    // Not a fault: the host may be writing now, and after a crash it quarantines the torn record
    // when it starts again.
    if examination.torn_tail.is_some() {
        OUTPUT.warn(format_args!("{path}: the last record is incomplete"));
    }
    if examination.origin.is_none() {
        bail!(LogNotIntact(format!("{path}: the log has no records")));
    }
    Ok(())
}

/// Prints the records of calls while the log is read.
struct CallPrinter {
    /// The keyed hash of the key to look for; `None` prints every call.
    of: Option<KeyedHash>,
    /// Calls about that key whose return is still to come: only the call has the arguments.
    calls: Vec<(String, u64)>,
    out: BufWriter<io::Stdout>,
    /// The first write error. The reader of the log takes no error from its callback.
    written: io::Result<()>,
}

impl CallPrinter {
    fn take(&mut self, record: Option<&Record>) {
        let Some((record, event)) = record.and_then(|record| Some((record, record.event()?))) else { return };
        let line = match event {
            Event::Call(call) => {
                let is_about = self.of.is_none_or(|of| call.arguments.values().any(|hash| *hash == of));
                let id = (call.launch.to_string(), call.call);
                if is_about && self.of.is_some() {
                    self.calls.push(id);
                }
                is_about.then(|| format!("call     {} #{}, {} bytes", call.method, call.call, call.request.bytes))
            }
            Event::Returned(returned) => {
                let id = (returned.launch.to_string(), returned.call);
                let is_about = self.of.is_none() || self.calls.contains(&id);
                self.calls.retain(|call| *call != id);
                let (method, call, outcome) = (&returned.method, returned.call, &returned.outcome);
                is_about.then(|| format!("returned {method} #{call} {outcome}, {} bytes", returned.response.bytes))
            }
            _ => None,
        };
        if let Some(line) = line.filter(|_| self.written.is_ok()) {
            self.written = writeln!(self.out, "{:>8} {} {}", record.index(), record.time(), Escaped::new(&line));
        }
    }

    fn finish(mut self) -> Result<()> {
        self.written.and_then(|()| self.out.flush()).context("cannot write the result")
    }
}
