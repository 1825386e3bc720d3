//! The two streams: results go to standard output, complaints to standard error. Neither can make
//! the program panic.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};

use portcullis::Chain;
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

/// The members of a JSON document beside those that every verb has.
pub(crate) type Body = Vec<(&'static str, Value)>;

/// Tells the one result of a verb, in the form that was asked for.
pub(crate) fn tell(form: Form, verb: &str, result: Result<(String, Body), Box<dyn Error>>) -> Exit {
    match result {
        Ok((_, body)) if form.json => json(verb, Exit::Success, body),
        Ok((text, _)) => Exit::Success.after(write(text.as_bytes())),
        Err(error) => {
            let error = Chain::of(error.as_ref()).to_string();
            complain(&error);
            if form.json { json(verb, Exit::Failed, vec![("error", error.into())]) } else { Exit::Failed }
        }
    }
}

/// Writes the one JSON document of a run: what every verb says (`schema`, `verb`, `outcome`), then
/// `body`.
pub(crate) fn json(verb: &str, exit: Exit, body: Body) -> Exit {
    let mut document = Map::new();
    document.insert("schema".into(), SCHEMA.into());
    document.insert("verb".into(), verb.into());
    document.insert("outcome".into(), exit.word().into());
    document.extend(body.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let text = format!("{:#}\n", Value::Object(document));
    exit.after(write(text.as_bytes()))
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
    let _ = writeln!(io::stderr(), "certs-tooling: {message}");
}
