//! `plugin-verify man`: manual pages, generated from the command line. Installs nothing.

use std::io;
use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;
use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use serde_json::Value;

use crate::OUTPUT;
use crate::{cli, files};

/// Print a manual page, or write one for each verb
///
/// Without --out, prints the page of the whole program in roff.
///
/// Example: plugin-verify man | man -l -
///
/// Exit status: 0 printed or written, 2 not.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write one page for the program and one for each verb into DIR; existing pages are replaced
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let mut command = cli::command().disable_help_subcommand(true);
    command.build();
    match &arguments.out {
        Some(directory) => write_all(arguments, &command, directory),
        None => print(arguments, command),
    }
}

fn print(arguments: &Arguments, command: Command) -> Exit {
    let page = match rendered(command) {
        Ok((_, page)) => page,
        Err(error) => return OUTPUT.failed("man", arguments.format, &Problem::of(&error)),
    };
    if arguments.format.json {
        return OUTPUT.json("man", Exit::Success, [("page", String::from_utf8_lossy(&page).into())]);
    }
    OUTPUT.print(&page, Exit::Success)
}

fn write_all(arguments: &Arguments, command: &Command, directory: &Path) -> Exit {
    let mut written = Vec::new();
    for command in all(command) {
        let file = rendered(command).and_then(|(name, page)| {
            let path = directory.join(name);
            files::write(&page, &path, true).map(|()| path)
        });
        match file {
            Ok(path) => written.push(Escaped::path(&path).to_string()),
            Err(error) => {
                let context = format_args!("cannot write manual pages to {}", Escaped::path(directory)).to_string();
                return OUTPUT.failed("man", arguments.format, &Problem::of(&error).within(context));
            }
        }
    }
    if arguments.format.json {
        let files: Vec<Value> = written.into_iter().map(Value::from).collect();
        return OUTPUT.json("man", Exit::Success, [("files", files.into())]);
    }
    OUTPUT.print(written.join("\n") + "\n", Exit::Success)
}

/// The command and all commands below it.
fn all(command: &Command) -> Vec<Command> {
    let below = command.get_subcommands().filter(|below| !below.is_hide_set()).flat_map(all);
    std::iter::once(command.clone()).chain(below).collect()
}

/// The file name of a page, and the page.
fn rendered(command: Command) -> io::Result<(String, Vec<u8>)> {
    // clap gives a subcommand no version, but its page shows one.
    let version = env!("CARGO_PKG_VERSION");
    let page = Man::new(command).source(format!("plugin-verify {version}")).manual("plugin-verify");
    let mut text = Vec::new();
    page.render(&mut text)?;
    Ok((page.get_filename(), text))
}
