//! The command line: what is to be done, and with which plugin or through which socket. Reads
//! nothing but its words.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use cli_support::{Exit, UsageError};

use crate::OUTPUT;
use crate::audit::AuditCommand;
use crate::launch::Launch;

/// Stores and fetches values through a verified plugin.
///
/// Either launches the plugin for one command (`--plugin`), or uses one that `kv-host serve` keeps
/// running (`--connect`).
#[derive(Parser)]
#[command(after_help = "Exit status: 0 done, 1 refused or not found, 2 could not", override_usage = USAGE)]
pub(crate) struct Arguments {
    /// The socket of a host that serves, instead of a plugin
    #[arg(long, value_name = "SOCKET", conflicts_with_all = LAUNCH)]
    pub(crate) connect: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) launch: Launch,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What only a launch has.
const LAUNCH: [&str; 14] = [
    "plugin",
    "cookie",
    "protocol",
    "data",
    "report",
    "sha256",
    "sums",
    "lock",
    "key",
    "manifest",
    "policy",
    "name",
    "audit",
    "audit_best_effort",
];

const USAGE: &str = "kv-host --plugin <PATH> <SOURCE>... [OPTIONS] <COMMAND>
       kv-host --connect <SOCKET> <COMMAND>
       kv-host [--data <DIR>] [--audit <LOG>] audit <COMMAND>";

impl Arguments {
    /// Parses the command line. When there is no command to run, prints why and returns the exit.
    pub(crate) fn read() -> Result<Self, Exit> {
        let arguments: Self = OUTPUT.parse()?;
        let is_audit = matches!(arguments.command, Command::Audit { .. });
        let fault = match (&arguments.connect, &arguments.command) {
            (Some(_), Command::Serve { .. }) => {
                "`serve` keeps a plugin running: it needs --plugin, and cannot be used with --connect"
            }
            (Some(_), Command::Audit { .. }) => {
                "`audit` reads a log, and nobody serves that: it cannot be used with --connect"
            }
            (None, _) if !is_audit && !arguments.launch.has_plugin() => {
                "there is nobody to ask: name a plugin with --plugin, or a host that serves with --connect"
            }
            _ => return Ok(arguments),
        };
        Err(UsageError::from(Self::command().error(ErrorKind::ArgumentConflict, fault)).print(OUTPUT))
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Call(CallCommand),
    /// Keep the plugin running for `kv-host --connect`, until a signal ends it
    Serve {
        /// A Unix socket, to be made in a directory that is yours alone (mode 0700)
        #[arg(long, value_name = "PATH")]
        socket: PathBuf,
    },
    /// Examine the audit log, which every other command writes
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
}

#[derive(Subcommand)]
pub(crate) enum CallCommand {
    /// Store a value; `-` reads it from standard input
    Put { key: String, value: String },
    /// Print a value to standard output
    Get {
        key: String,
        /// First print a line with the version of the value
        #[arg(long)]
        with_version: bool,
    },
    /// Take a value away
    Delete { key: String },
    /// Print versions, sizes and keys, a line for each key
    List {
        /// What the keys start with
        #[arg(default_value = "")]
        prefix: String,
        /// Print no more than so many
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// Store a value if the key has the expected version still, and print the new version
    Cas {
        key: String,
        /// The version that the key must have; 0 for none
        #[arg(long, value_name = "VERSION")]
        expect: u64,
        /// `-` reads it from standard input
        value: String,
    },
    /// Print changes as they happen, a line for each: what, version, size, key
    Watch {
        /// What the keys start with
        #[arg(default_value = "")]
        prefix: String,
        /// End after so many
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
}
