//! The command line: the command, and the plugin to launch or the socket to connect to. Opens no
//! file.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use cli_support::{Exit, UsageError};

use crate::OUTPUT;
use crate::audit::AuditCommand;
use crate::launch::LaunchOptions;

/// Stores and reads values through a verified plugin.
///
/// Launches the plugin for one command (`--plugin`), or uses the plugin of a running
/// `kv-host serve` (`--connect`).
#[derive(Parser)]
#[command(after_help = AFTER_HELP, override_usage = USAGE)]
pub(crate) struct Arguments {
    /// Connect to the host that serves on this socket, instead of launching a plugin
    #[arg(long, value_name = "SOCKET", conflicts_with_all = LAUNCH_ONLY)]
    pub(crate) connect: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) launch: LaunchOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The options that describe a launch and mean nothing with `--connect`.
const LAUNCH_ONLY: [&str; 14] = [
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

const AFTER_HELP: &str = "Exit status: 0 success, 1 refused or not found, 2 failed

Example: kv-host --plugin ./kv-plugin --lock plugins.lock put greeting hello";

impl Arguments {
    /// Parses the command line. If there is no command to run, prints why and returns the exit.
    pub(crate) fn read() -> Result<Self, Exit> {
        let arguments: Self = OUTPUT.parse()?;
        let is_audit = matches!(arguments.command, Command::Audit { .. });
        let conflict = match (&arguments.connect, &arguments.command) {
            (Some(_), Command::Serve { .. }) => {
                "`serve` launches a plugin: it needs --plugin and cannot be used with --connect"
            }
            (Some(_), Command::Audit { .. }) => "`audit` reads a local log: it cannot be used with --connect",
            (None, _) if !is_audit && !arguments.launch.has_plugin() => {
                "a command needs a plugin (--plugin) or a serving host (--connect)"
            }
            _ => return Ok(arguments),
        };
        Err(UsageError::from(Self::command().error(ErrorKind::ArgumentConflict, conflict)).print(OUTPUT))
    }
}

#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Call(CallCommand),
    /// Keep the plugin running for `kv-host --connect`, until SIGINT or SIGTERM
    Serve {
        /// The Unix socket to create, in a directory of yours with mode 0700
        #[arg(long, value_name = "PATH")]
        socket: PathBuf,
    },
    /// Verify or show the audit log that the other commands write
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
        /// Print the version of the value on a line before it
        #[arg(long)]
        with_version: bool,
    },
    /// Delete a value
    Delete { key: String },
    /// List keys, one line each: version, size in bytes, key
    List {
        /// List only keys that start with this text
        #[arg(default_value = "")]
        prefix: String,
        /// List at most this many keys
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// Store a value if the key still has the expected version, and print the new version
    Cas {
        key: String,
        /// The version that the key must have; 0 for no value
        #[arg(long, value_name = "VERSION")]
        expect: u64,
        /// The value; `-` reads it from standard input
        value: String,
    },
    /// Print changes as they happen, one line each: kind, version, size in bytes, key
    Watch {
        /// Print only changes of keys that start with this text
        #[arg(default_value = "")]
        prefix: String,
        /// Stop after this many changes
        #[arg(long, value_name = "N")]
        count: Option<u64>,
    },
}
