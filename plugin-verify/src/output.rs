//! The two streams: results go to standard output, complaints to standard error. Neither can make
//! the program panic.

use std::fmt;
use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::exit::Exit;

/// How results are printed: the option that every verb has.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Form {
    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// The version of the JSON documents: what a member means does not change under one version,
/// members may be added.
const SCHEMA: u32 = 1;

/// Writes the one JSON document of a run: what every verb says (`schema`, `verb`, `outcome`), then
/// `body`. Names in it are escaped as they are in text.
pub(crate) fn json(verb: &str, exit: Exit, body: impl IntoIterator<Item = (&'static str, Value)>) -> Exit {
    let mut document = Map::new();
    document.insert("schema".into(), SCHEMA.into());
    document.insert("verb".into(), verb.into());
    document.insert("outcome".into(), exit.word().into());
    document.extend(body.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let text = format!("{:#}\n", Value::Object(document));
    exit.after(write(text.as_bytes()))
}

/// Ends a run that could not be made: the reason goes to standard error, and in JSON into the
/// document.
pub(crate) fn failed(verb: &str, form: Form, reason: impl fmt::Display) -> Exit {
    if form.json {
        return json(verb, Exit::Failed, [("error", reason.to_string().into())]);
    }
    complain(reason);
    Exit::Failed
}

/// Ends a run that refused what was asked for: the reason goes to standard error, with what a
/// person can do about it, and in JSON into the document.
pub(crate) fn refused(verb: &str, form: Form, reason: impl fmt::Display, hint: Option<&'static str>) -> Exit {
    if form.json {
        return json(verb, Exit::Refused, [("reason", reason.to_string().into()), ("hint", hint.into())]);
    }
    complain(reason);
    if let Some(hint) = hint {
        complain(format_args!("hint: {hint}"));
    }
    Exit::Refused
}

/// Writes a result, whole lines of it, at once.
pub(crate) fn write(lines: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(lines)?;
    stdout.flush()
}

/// Tells a person what went wrong. Whatever is foreign in `message` must have been escaped.
pub(crate) fn complain(message: impl fmt::Display) {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(io::stderr(), "plugin-verify: {message}");
}
