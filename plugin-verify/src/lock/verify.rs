//! `plugin-verify lock verify`: is everything there that was agreed to, and nothing else? The
//! library looks; this shows.

use std::path::{Path, PathBuf};

use cli_support::Exit;
use portcullis::authoring::{Inventory, Item, Presence};
use portcullis::verify::Lock;
use portcullis::{Escaped, verify::PluginName};
use serde_json::{Map, Value, json};

use super::LockOptions;
use super::outcome::NotWritten;
use crate::OUTPUT;
use crate::verdict::Verdict;

const VERB: &str = "lock verify";

/// Check that every plugin of the lock file is there and may run
///
/// Looks for each plugin that is locked for this machine under its name, and checks it as
/// `check --lock` does. A plugin that is missing is refused, and so is whatever else lies in the
/// directory or is named and is not in the lock file for this machine; manifests and signatures
/// beside a plugin belong to it. A lock file with nothing for this machine is refused too.
///
/// Exit status: 0 all there and verified, 1 something refused, missing or unknown, 2 something
/// could not be checked.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("plugins").required(true).args(["directory", "files"])))]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: LockOptions,

    /// The directory with the plugins
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,

    /// The plugins
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    match inventory(arguments) {
        Ok(inventory) => show(arguments, inventory),
        Err(failure) => failure.report(VERB, arguments.options.format),
    }
}

fn inventory(arguments: &Arguments) -> Result<Inventory, NotWritten> {
    let lock = Lock::read(&arguments.options.lock)?;
    match &arguments.directory {
        Some(directory) => Inventory::of_directory(lock, directory).map_err(|error| {
            NotWritten::Failed(format!("{} could not be read: {error}", Escaped::path(directory)).into())
        }),
        None => Ok(Inventory::of_files(lock, arguments.files.iter().cloned())),
    }
}

fn show(arguments: &Arguments, inventory: Inventory) -> Exit {
    let format = arguments.options.format;
    let Inventory { items, unknown, elsewhere, .. } = inventory;
    if items.is_empty() {
        let lock = Escaped::path(&arguments.options.lock);
        return OUTPUT.refused(VERB, format, format_args!("{lock} has no plugin for this machine"));
    }
    let mut exit = if unknown.is_empty() { Exit::Success } else { Exit::Refused };
    let mut plugins = Vec::new();
    for item in items {
        let (path, verdict) = verdict(item);
        exit = exit.and(verdict.as_ref().map_or(Exit::Refused, |(_, verdict)| verdict.exit()));
        match &verdict {
            verdict if format.json => plugins.push(entry(&path, verdict.as_ref()).into()),
            Some((file, verdict)) => exit = exit.and(verdict.print(file)),
            None => exit = exit.and(say(&format!("{path}: MISSING\n  it is locked for this machine\n"))),
        }
    }
    let unknown: Vec<String> = unknown.iter().map(|path| Escaped::path(path).to_string()).collect();
    let elsewhere: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
    if format.json {
        let body = [("plugins", Value::Array(plugins)), ("unknown", unknown.into()), ("elsewhere", elsewhere.into())];
        return OUTPUT.json(VERB, exit, body);
    }
    for path in unknown {
        exit = exit.and(say(&format!("{path}: UNKNOWN\n  the lock file does not have it for this machine\n")));
    }
    exit
}

fn say(text: &str) -> Exit {
    OUTPUT.print(text, Exit::Success)
}

fn verdict(item: Item) -> (PluginName, Option<(PathBuf, Verdict)>) {
    let found = match item.presence {
        Presence::Present(decision) => Some((decision.path().to_path_buf(), decision.into_outcome().into())),
        _ => None,
    };
    (item.name, found)
}

fn entry(name: &PluginName, found: Option<&(PathBuf, Verdict)>) -> Map<String, Value> {
    let mut entry = match found {
        Some((file, verdict)) => verdict.entry(Path::new(file)),
        None => Map::from_iter([
            ("outcome".to_owned(), json!(Exit::Refused.word())),
            ("reason".to_owned(), json!("it is missing")),
        ]),
    };
    entry.insert("name".into(), name.to_string().into());
    entry
}
