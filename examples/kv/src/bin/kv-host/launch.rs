//! The plugin of the command line, launched. Its trust is decided in `trust`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use kv::KV_MESSAGE_LIMIT;
use portcullis::audit::Log;
use portcullis::host::{Environment, Plugin};
use portcullis::{Escaped, Protocol};

use crate::audit::Place;
use crate::trust::Trust;

/// How long a plugin may take to exit when it is asked.
const GRACE: Duration = Duration::from_secs(2);

/// Which plugin, and how it is launched.
#[derive(Args)]
pub(crate) struct Launch {
    /// The plugin: a file, or a directory with a manifest in it
    #[arg(long, value_name = "PATH", requires = "sources")]
    plugin: Option<PathBuf>,
    /// The cookie that the plugin expects
    #[arg(long, value_name = "KEY=VALUE", default_value = "BASIC_PLUGIN=hello", value_parser = cookie)]
    cookie: (String, String),
    /// The version of the application's protocol, instead of the higher one of 1 and 2 that the
    /// plugin has
    #[arg(long, value_name = "N")]
    protocol: Option<u32>,
    /// The directory that the values are kept in
    #[arg(long, value_name = "DIR", default_value = "kv-data")]
    data: PathBuf,
    /// Print the launch report to standard error
    #[arg(long)]
    report: bool,
    #[command(flatten)]
    audit: Place,
    /// Go on when something cannot be recorded, and count what was lost
    #[arg(long)]
    audit_best_effort: bool,
    #[command(flatten)]
    trust: Trust,
}

fn cookie(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.into(), value.into())),
        _ => Err("expected KEY=VALUE".into()),
    }
}

impl Launch {
    pub(crate) fn has_plugin(&self) -> bool {
        self.plugin.is_some()
    }

    pub(crate) fn audit(&self) -> &Place {
        &self.audit
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Opens the audit log, before anything else happens.
    pub(crate) fn open_log(&self) -> Result<Log> {
        self.audit.open(&self.data, self.audit_best_effort)
    }

    /// Verifies the plugin and launches it.
    pub(crate) async fn plugin(self, log: &Log) -> Result<Plugin> {
        let path = self.plugin.context("there is no plugin")?;
        let data = directory(&self.data)?;
        let verified = self.trust.verify(&path, log)?;
        let (key, value) = self.cookie;
        let protocol = match self.protocol {
            Some(version) => Protocol::new(key, value, version),
            None => Protocol::new(key, value, 1).and_version(2),
        };
        let plugin = Plugin::builder(verified)
            .with_protocol(protocol)
            .with_environment(Environment::empty())
            .with_working_directory(&data)
            .args(["--data".into(), data.into_os_string()])
            .with_audit(log.clone())
            .with_message_limit(KV_MESSAGE_LIMIT)
            .launch()
            .await?;
        if self.report {
            eprintln!("{}", plugin.report());
        }
        Ok(plugin)
    }
}

/// Ends a plugin. Takes a bounded time, whatever it does.
pub(crate) async fn shut_down(plugin: &Plugin) {
    plugin.shutdown(GRACE).await;
}

/// Makes the directory if it is not there, for this user alone, and returns its full path.
pub(crate) fn directory(path: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.and_then(|()| path.canonicalize()).with_context(|| format!("cannot use {} for data", Escaped::path(path)))
}
