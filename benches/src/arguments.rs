//! The command line of the hosts that are measured. The Go host accepts the same.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use portcullis::Digest;

/// Performs one kind of work with one plugin and prints how long it took.
#[derive(Debug, Clone, Parser)]
pub struct Arguments {
    /// The plugin
    #[arg(long, value_name = "FILE")]
    pub plugin: PathBuf,
    /// An argument for the plugin; repeatable
    #[arg(long = "arg", value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
    /// The digest of the plugin
    #[arg(long, value_name = "HEX")]
    pub sha256: Digest,
    /// When the plugin is hashed
    #[arg(long, value_enum, default_value = "cached")]
    pub check: Check,
    /// Without TLS
    #[arg(long)]
    pub plaintext: bool,
    /// The number of measurements
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub repeats: usize,
    /// The number of launches or calls in flight
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub at_once: usize,
    /// The number of calls, messages or lines in each measurement
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub count: usize,
    /// The size of a message in bytes
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub bytes: usize,
    /// The number of plugins in a fleet
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub plugins: usize,
    /// Extra memory that the host allocates, in MiB
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub ballast: usize,
    /// The work
    #[arg(value_enum)]
    pub work: Work,
}

/// When the plugin is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Check {
    /// Never. A Portcullis host launches nothing unverified, and does the same as for `cached`
    None,
    /// At each launch, with an empty cache
    First,
    /// Once, before the first launch
    Cached,
}

/// What the host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// Launches, first calls and shutdowns
    Launch,
    /// Unary calls
    Unary,
    /// Streams from the plugin
    Stream,
    /// Lines that the plugin logs
    Log,
    /// Many plugins, held still while their processes are measured from outside
    Fleet,
}
