//! `plugin-verify lock verify`: compares the plugins on disk with the lock file. The library
//! compares; this prints.

use std::path::{Path, PathBuf};

use cli_support::{Exit, Problem};
use portcullis::authoring::{Inventory, InventoryItem, InventoryStatus};
use portcullis::verify::Lock;
use portcullis::{Escaped, verify::PluginName};
use serde_json::{Map, Value};

use super::LockOptions;
use super::outcome::NotWritten;
use crate::OUTPUT;
use crate::verdict::Verdict;

const VERB: &str = "lock verify";

/// The reason for a plugin that is not on disk.
const MISSING: &str = "locked for this machine, but not present";

/// Check that all locked plugins are present and may run, and no others
///
/// Looks up each plugin that is locked for this machine by its name, and checks it as `check
/// --lock` does. Missing plugins and files that are not locked for this machine are refused;
/// manifests and signatures beside a plugin are allowed. A lock file without a plugin for this
/// machine is refused too.
///
/// Example: plugin-verify lock verify --directory ./plugins
///
/// Exit status: 0 all present and verified, 1 a plugin was refused, missing or unknown, 2 a plugin
/// could not be checked.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("plugins").required(true).args(["directory", "files"])))]
pub(crate) struct Arguments {
    #[command(flatten)]
    options: LockOptions,

    /// Directory of the plugins
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,

    /// The plugins: files or directories
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
            NotWritten::Failed(Problem::of(&error).within(format_args!("cannot read {}", Escaped::path(directory))))
        }),
        None => Ok(Inventory::of_files(lock, arguments.files.iter().cloned())),
    }
}

fn show(arguments: &Arguments, inventory: Inventory) -> Exit {
    let format = arguments.options.format;
    let Inventory { items, unknown, elsewhere, .. } = inventory;
    if items.is_empty() {
        let lock = Escaped::path(&arguments.options.lock);
        let problem = Problem::new("nothing-locked", format_args!("{lock} lists no plugin for this machine"));
        return OUTPUT.refused(VERB, format, &problem);
    }
    let mut exit = if unknown.is_empty() { Exit::Success } else { Exit::Refused };
    let mut plugins = Vec::new();
    for item in items {
        let (path, verdict) = verdict(item);
        exit = exit.and(verdict.as_ref().map_or(Exit::Refused, |(_, verdict)| verdict.exit()));
        match &verdict {
            verdict if format.json => plugins.push(entry(&path, verdict.as_ref()).into()),
            Some((file, verdict)) => exit = exit.and(verdict.print(file)),
            None => exit = exit.and(say(&format!("{path}: MISSING\n  {MISSING}\n"))),
        }
    }
    let unknown: Vec<String> = unknown.iter().map(|path| Escaped::path(path).to_string()).collect();
    let elsewhere: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
    if format.json {
        let body = [("plugins", Value::Array(plugins)), ("unknown", unknown.into()), ("elsewhere", elsewhere.into())];
        return OUTPUT.json(VERB, exit, body);
    }
    for path in unknown {
        exit = exit.and(say(&format!("{path}: UNKNOWN\n  not in the lock file for this machine\n")));
    }
    exit
}

fn say(text: &str) -> Exit {
    OUTPUT.print(text, Exit::Success)
}

fn verdict(item: InventoryItem) -> (PluginName, Option<(PathBuf, Verdict)>) {
    let found = match item.status {
        InventoryStatus::Present(decision) => Some((decision.path().to_path_buf(), decision.into_outcome().into())),
        _ => None,
    };
    (item.name, found)
}

fn entry(name: &PluginName, found: Option<&(PathBuf, Verdict)>) -> Map<String, Value> {
    let mut entry = match found {
        Some((file, verdict)) => verdict.entry(Path::new(file)),
        None => {
            let mut entry = Problem::new("missing", MISSING).object(Exit::Refused);
            entry.insert("outcome".into(), Exit::Refused.word().into());
            entry
        }
    };
    entry.insert("name".into(), name.to_string().into());
    entry
}
