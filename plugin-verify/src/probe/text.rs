//! The observations of a probe as text: facts on standard output, problems on standard error.
//! Foreign text is escaped.

use std::fmt::{self, Write};

use cli_support::Exit;
use portcullis::host::Shutdown;
use portcullis::verify::{Refusal, VerifyError};
use portcullis::{Error, Escaped};

use super::session::{Observations, ProbeError};
use super::{Arguments, ending};
use crate::OUTPUT;

pub(super) fn show(arguments: &Arguments, probed: &Result<Observations, ProbeError>, exit: Exit) -> Exit {
    let file = Escaped::path(&arguments.file);
    match probed {
        Ok(observed) => {
            let written = OUTPUT.write(format!("{file}: READY\n{}", Indented(ProbeFacts(observed))));
            if let Some(trouble) = observed.trouble() {
                OUTPUT.warn(format_args!("{file}: {trouble}{}", LastWords(&observed.stderr)));
            }
            OUTPUT.finish(exit, written)
        }
        Err(fault) if exit == Exit::Refused => {
            let written = match refusal(fault) {
                Some(reason) => OUTPUT.write(format!("{file}: REFUSED\n  {reason}\n")),
                None => OUTPUT.write(format!("{file}: REFUSED\n{}", Indented(fault))),
            };
            if let Some(hint) = refusal(fault).and_then(Refusal::hint) {
                OUTPUT.hint(hint);
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

/// The refusal of the file itself, if that is the reason.
fn refusal(fault: &ProbeError) -> Option<&Refusal> {
    match fault {
        ProbeError::Launch(Error::Verify(VerifyError::Refused { reason, .. })) => Some(reason),
        _ => None,
    }
}

/// The facts about a plugin that became ready, one to a line.
struct ProbeFacts<'a>(&'a Observations);

impl fmt::Display for ProbeFacts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Observations { report, services, shutdown, .. } = self.0;
        writeln!(f, "{report}")?;
        match services {
            Ok(services) => writeln!(f, "services     {services}")?,
            Err(error) => writeln!(f, "services     unknown: {error}")?,
        }
        let Shutdown { path: how, exit, .. } = shutdown;
        match exit {
            Some(exit) => write!(f, "end          {}, {exit}", ending(*how)),
            None => write!(f, "end          {}, not exited yet", ending(*how)),
        }
    }
}

/// Each line indented by two columns.
struct Indented<T>(T);

impl<T: fmt::Display> fmt::Display for Indented<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string().lines().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// The last lines of a plugin's standard error, in the layout that the library uses for a plugin
/// that did not start.
struct LastWords<'a>(&'a [u8]);

impl fmt::Display for LastWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            f.write_str("\n  the last lines of its standard error:")?;
        }
        for line in self.0.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            f.write_char('\n')?;
            write!(f, "    {}", Escaped::new(line))?;
        }
        Ok(())
    }
}
