//! The two output streams: results go to standard output, warnings to standard error. A closed
//! stream never makes a program panic.

use std::fmt;
use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::{Exit, Problem};

/// The version of the JSON documents. Within one version members may be added, but their meaning
/// does not change.
const SCHEMA: u32 = 2;

/// The members of a JSON document beside `schema`, `verb` and `outcome`.
pub type Body = Vec<(&'static str, Value)>;

/// The form of a program's results: an option of every verb.
#[derive(Debug, Clone, Copy, clap::Args)]
#[non_exhaustive]
pub struct OutputFormat {
    /// Print one JSON document instead of text
    #[arg(long)]
    pub json: bool,
}

/// The output of one program.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    program: &'static str,
}

impl Output {
    /// The output of `program`, whose name starts each line on standard error.
    pub const fn of(program: &'static str) -> Self {
        Self { program }
    }

    /// Writes a result, whole lines of it, to standard output and flushes it.
    ///
    /// # Errors
    ///
    /// The error of standard output. [`finish`](Self::finish) turns it into an exit.
    pub fn write(&self, lines: impl AsRef<[u8]>) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(lines.as_ref())?;
        stdout.flush()
    }

    /// Writes a result as [`write`](Self::write) does. Returns `exit`, or [`Exit::Failed`] with a
    /// warning if the result is lost.
    pub fn print(&self, lines: impl AsRef<[u8]>, exit: Exit) -> Exit {
        self.finish(exit, self.write(lines))
    }

    /// Returns `exit` if the result was written, and [`Exit::Failed`] with a warning if it is lost.
    ///
    /// A broken pipe keeps `exit`: the reader has seen enough. On any other error the exit status
    /// must not look like a verdict, because the verdict was not delivered.
    pub fn finish(&self, exit: Exit, written: io::Result<()>) -> Exit {
        match written {
            Ok(()) => exit,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit,
            Err(error) => {
                self.warn(format_args!("standard output: {error}"));
                Exit::Failed
            }
        }
    }

    /// Writes a message to standard error, after the name of the program. Foreign text in `message`
    /// must be escaped already.
    pub fn warn(&self, message: impl fmt::Display) {
        // A closed standard error is the choice of the person who closed it.
        let _ = writeln!(io::stderr(), "{}: {message}", self.program);
    }

    /// Writes a hint to standard error: the step that solves the problem above it.
    pub fn hint(&self, hint: impl fmt::Display) {
        self.warn(format_args!("hint: {hint}"));
    }

    /// Writes the JSON document of a run: `schema`, `verb` and `outcome`, then `body`. Returns
    /// `exit`, or [`Exit::Failed`] if the document is lost.
    pub fn json(&self, verb: &str, exit: Exit, body: impl IntoIterator<Item = (&'static str, Value)>) -> Exit {
        let mut document = Map::new();
        document.insert("schema".into(), SCHEMA.into());
        document.insert("verb".into(), verb.into());
        document.insert("outcome".into(), exit.word().into());
        document.extend(body.into_iter().map(|(name, value)| (name.to_owned(), value)));
        self.print(format!("{:#}\n", Value::Object(document)), exit)
    }

    /// Ends a run that failed: prints the problem and returns [`Exit::Failed`].
    pub fn failed(&self, verb: &str, format: OutputFormat, problem: &Problem) -> Exit {
        self.problem(verb, format, Exit::Failed, problem)
    }

    /// Ends a run that refused the request: prints the problem and returns [`Exit::Refused`].
    pub fn refused(&self, verb: &str, format: OutputFormat, problem: &Problem) -> Exit {
        self.problem(verb, format, Exit::Refused, problem)
    }

    fn problem(&self, verb: &str, format: OutputFormat, exit: Exit, problem: &Problem) -> Exit {
        if format.json {
            return self.json(verb, exit, problem.members(exit));
        }
        self.warn(problem);
        if let Some(hint) = problem.hint() {
            self.hint(hint);
        }
        exit
    }
}
