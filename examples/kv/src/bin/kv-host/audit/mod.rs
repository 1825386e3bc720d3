//! The audit log of this host: its location, its secrets, and how it is opened and closed. The
//! library writes the records.

mod commands;

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use portcullis::audit::{Log, LogKey};
use portcullis::{Digest, Escaped};

pub(crate) use self::commands::{AuditCommand, LogNotIntact, run};
use crate::launch::private_directory;

/// The location of the log, for the commands that write it and those that read it.
#[derive(Args)]
pub(crate) struct LogLocation {
    /// The audit log, instead of `<DIR>-audit/log` beside the data directory. Its secrets are in
    /// `<LOG>.key`, its latest checkpoint in `<LOG>.checkpoint`
    #[arg(long, value_name = "LOG")]
    audit: Option<PathBuf>,
}

impl LogLocation {
    /// The path of the log for the values in `data`.
    fn path(&self, data: &Path) -> PathBuf {
        self.audit.clone().unwrap_or_else(|| with_suffix(data, "-audit").join("log"))
    }

    /// Opens the log for writing. Creates its secrets if they do not exist.
    pub(crate) fn open(&self, data: &Path, best_effort: bool) -> Result<Log> {
        let path = self.path(data);
        if self.audit.is_none() {
            private_directory(&with_suffix(data, "-audit"))?;
        }
        let secrets = with_suffix(&path, ".key");
        let key = match LogKey::read(&secrets) {
            // Only a missing file means a new log. Any other error must not replace the key, or the
            // old log could no longer be verified.
            Err(_) if is_missing(&secrets) => LogKey::create(&secrets, &origin(&path))?,
            read => read?,
        };
        let builder = Log::builder(&path, key).checkpoint_file(with_suffix(&path, ".checkpoint")).outside(data);
        let builder = if best_effort { builder.best_effort() } else { builder };
        Ok(builder.open()?)
    }
}

/// `path` with `suffix` added to its last component.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn is_missing(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// The name of a new log: the machine, and the start of the hash of the path, which tells the logs
/// of one machine apart.
fn origin(path: &Path) -> String {
    let uname = rustix::system::uname();
    let machine = uname.nodename().to_string_lossy();
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-');
    let machine: String = machine.chars().filter(|character| plain(*character)).take(64).collect();
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let hash = Digest::of(path.as_os_str().as_bytes()).to_string();
    format!("kv-host/{machine}/{}", &hash[..16])
}

/// Closes the log with a checkpoint that covers all its records.
pub(crate) fn close(log: &Log) -> Result<()> {
    log.close().with_context(|| format!("{}: cannot close the audit log", Escaped::path(log.path())))
}
