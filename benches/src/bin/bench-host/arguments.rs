//! What the host is told on its command line. The Go host takes the same.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use portcullis::Digest;

/// Does one work with one plugin and prints what it took.
#[derive(Debug, Clone, Parser)]
pub(crate) struct Arguments {
    /// The plugin
    #[arg(long, value_name = "FILE")]
    pub(crate) plugin: PathBuf,
    /// An argument for the plugin; repeatable
    #[arg(long = "arg", value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
    /// The digest of the plugin
    #[arg(long, value_name = "HEX")]
    pub(crate) sha256: Digest,
    /// What is hashed for a launch
    #[arg(long, value_enum, default_value = "cached")]
    pub(crate) check: Check,
    /// Without TLS
    #[arg(long)]
    pub(crate) plaintext: bool,
    /// How often the work is done and timed
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) repeats: usize,
    /// How many launches or calls are under way at once
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) at_once: usize,
    /// How many calls, messages or lines each repeat has
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) count: usize,
    /// The size of a message
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) bytes: usize,
    /// How many plugins a fleet has
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) plugins: usize,
    /// How much memory the host holds besides, in MiB
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) ballast: usize,
    /// What is done
    #[arg(value_enum)]
    pub(crate) work: Work,
}

/// What is hashed for a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Check {
    /// Nothing. This host launches nothing unverified, and takes an image that was verified before,
    /// as for `cached`.
    None,
    /// The file, each time as if it were the first
    First,
    /// Nothing but before the first
    Cached,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Work {
    /// Launches and first calls, and shutdowns
    Launch,
    /// Unary calls
    Unary,
    /// Streams from the plugin
    Stream,
    /// Lines that the plugin logs
    Log,
    /// Many plugins, to be looked at from outside
    Fleet,
}
