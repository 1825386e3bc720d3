//! The command line, parsed: help goes to standard output, usage errors to standard error with all
//! foreign text escaped.

use clap::Parser;
use clap::error::ContextValue;
use portcullis::Escaped;

use crate::{Exit, Output};

/// A command line without a verb to run: a usage error, or a request for help or the version.
#[derive(Debug)]
pub struct UsageError(clap::Error);

impl From<clap::Error> for UsageError {
    fn from(error: clap::Error) -> Self {
        Self(error)
    }
}

impl UsageError {
    /// Prints the usage error or the requested help. Returns [`Exit::Failed`] for an error.
    pub fn print(self, output: Output) -> Exit {
        let is_error = self.0.use_stderr();
        let written = escaped(self.0).print();
        if is_error { Exit::Failed } else { output.finish(Exit::Success, written) }
    }
}

impl Output {
    /// Parses the command line of this process. When there is nothing to run, prints the help or
    /// the usage error.
    ///
    /// # Errors
    ///
    /// The exit to end with.
    pub fn parse<P: Parser>(self) -> Result<P, Exit> {
        P::try_parse().map_err(|error| UsageError::from(error).print(self))
    }
}

/// Escapes the words of the command line that `error` quotes: a file name that starts with a dash
/// is quoted as an unknown option.
fn escaped(mut error: clap::Error) -> clap::Error {
    let quoted: Vec<_> =
        error.context().filter_map(|(kind, value)| escaped_value(value).map(|safe| (kind, safe))).collect();
    for (kind, value) in quoted {
        error.insert(kind, value);
    }
    error
}

fn escaped_value(value: &ContextValue) -> Option<ContextValue> {
    match value {
        ContextValue::String(text) => Some(ContextValue::String(Escaped::new(text).to_string())),
        // Tips repeat the given word. clap puts no line break into them.
        ContextValue::StyledStrs(tips) => {
            let safe = tips.iter().map(|tip| Escaped::new(&tip.to_string()).to_string().into());
            Some(ContextValue::StyledStrs(safe.collect()))
        }
        _ => None,
    }
}
