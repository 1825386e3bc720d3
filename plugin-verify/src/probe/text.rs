//! What was seen, as text: the facts on standard output, what went wrong on standard error.
//! Everything foreign is escaped.

use std::fmt::{self, Write};

use cli_support::Exit;
use portcullis::host::Shutdown;
use portcullis::verify::{Refusal, VerifyError};
use portcullis::{Error, Escaped};

use super::session::{ProbeError, Seen};
use super::{Arguments, ending};
use crate::OUTPUT;
use crate::hint;

pub(super) fn show(arguments: &Arguments, probed: &Result<Seen, ProbeError>, exit: Exit) -> Exit {
    let file = Escaped::path(&arguments.file);
    match probed {
        Ok(seen) => {
            let written = OUTPUT.write(format!("{file}: READY\n{}", Indented(ProbeFacts(seen))));
            if let Some(trouble) = seen.trouble() {
                OUTPUT.warn(format_args!("{file}: {trouble}{}", LastWords(&seen.stderr)));
            }
            OUTPUT.finish(exit, written)
        }
        Err(fault) if exit == Exit::Refused => {
            let written = match refusal(fault) {
                Some(reason) => OUTPUT.write(format!("{file}: REFUSED\n  {reason}\n")),
                None => OUTPUT.write(format!("{file}: REFUSED\n{}", Indented(fault))),
            };
            if let Some(advice) = refusal(fault).and_then(hint::what_to_do) {
                OUTPUT.hint(advice);
            }
            OUTPUT.finish(exit, written)
        }
        Err(fault @ ProbeError::Launch(Error::Verify(_))) => {
            OUTPUT.warn(fault);
            exit
        }
        Err(fault) => {
            OUTPUT.warn(format_args!("{file}: {fault}"));
            exit
        }
    }
}

/// Why the file itself is refused, if it is.
fn refusal(fault: &ProbeError) -> Option<&Refusal> {
    match fault {
        ProbeError::Launch(Error::Verify(VerifyError::Refused { reason, .. })) => Some(reason),
        _ => None,
    }
}

/// What is known of a plugin that was ready, one fact to a line.
struct ProbeFacts<'a>(&'a Seen);

impl fmt::Display for ProbeFacts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen { report, services, shutdown, .. } = self.0;
        writeln!(f, "{report}")?;
        match services {
            Ok(services) => writeln!(f, "services     {services}")?,
            Err(error) => writeln!(f, "services     not known: {error}")?,
        }
        let Shutdown { ending: how, exit, .. } = shutdown;
        match exit {
            Some(exit) => write!(f, "end          {}, {exit}", ending(*how)),
            None => write!(f, "end          {}, not ended yet", ending(*how)),
        }
    }
}

/// Each line a little further to the right.
struct Indented<T>(T);

impl<T: fmt::Display> fmt::Display for Indented<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string().lines().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// The last lines of a plugin's standard error, as the library shows those of one that did not
/// start.
struct LastWords<'a>(&'a [u8]);

impl fmt::Display for LastWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            f.write_str("\n  the last it wrote to its standard error:")?;
        }
        for line in self.0.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            f.write_char('\n')?;
            write!(f, "    {}", Escaped::new(line))?;
        }
        Ok(())
    }
}
