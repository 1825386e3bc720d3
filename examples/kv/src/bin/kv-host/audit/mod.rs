//! The audit log of the host: where it lies, how it is kept, and when it is over. What goes into it
//! is recorded where it happens.

mod examine;

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use portcullis::audit::{Log, LogKey};
use portcullis::{Digest, Escaped};

pub(crate) use self::examine::{AuditCommand, NotIntact, run};
use crate::launch::directory;

/// Where the log is, for those who write it and those who read it.
#[derive(Args)]
pub(crate) struct Place {
    /// The audit log, instead of `log` in the directory `<DIR>-audit` beside that of the values.
    /// Its secrets lie beside it in `<LOG>.key`, its latest checkpoint in `<LOG>.checkpoint`
    #[arg(long, value_name = "LOG")]
    audit: Option<PathBuf>,
}

impl Place {
    /// The log that belongs to the values in `data`.
    fn log(&self, data: &Path) -> PathBuf {
        self.audit.clone().unwrap_or_else(|| with_suffix(data, "-audit").join("log"))
    }

    /// Opens the log for writing, with new secrets if it has none yet.
    pub(crate) fn open(&self, data: &Path, best_effort: bool) -> Result<Log> {
        let path = self.log(data);
        if self.audit.is_none() {
            directory(&with_suffix(data, "-audit"))?;
        }
        let secrets = with_suffix(&path, ".key");
        let key = match LogKey::read(&secrets) {
            Err(_) if is_missing(&secrets) => LogKey::create(&secrets, &origin(&path))?,
            read => read?,
        };
        let builder = Log::builder(&path, key).checkpoint_file(with_suffix(&path, ".checkpoint")).outside(data);
        let builder = if best_effort { builder.best_effort() } else { builder };
        Ok(builder.open()?)
    }
}

/// A directory or file beside another, whose name begins as the other's.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn is_missing(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// The name of a new log: this machine's, and something that other logs on it have not.
fn origin(path: &Path) -> String {
    let uname = rustix::system::uname();
    let machine = uname.nodename().to_string_lossy();
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-');
    let machine: String = machine.chars().filter(|character| plain(*character)).take(64).collect();
    let place = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let place = Digest::of(place.as_os_str().as_bytes()).to_string();
    format!("kv-host/{machine}/{}", &place[..16])
}

/// Ends the log in order. What it says is complete then, and vouched for.
pub(crate) fn close(log: &Log) -> Result<()> {
    log.close().with_context(|| format!("{}: the audit log could not be ended in order", Escaped::path(log.path())))
}
