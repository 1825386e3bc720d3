//! The launch of the plugin on the command line. Trust sources are read in `sources`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use kv::limits::KV_MESSAGE_BYTES;
use kv::timing::SHUTDOWN_GRACE;
use portcullis::audit::Log;
use portcullis::host::{Environment, Plugin};
use portcullis::{Escaped, Protocol};

use crate::audit::LogLocation;
use crate::sources::TrustSources;

/// The plugin, and how to launch it.
#[derive(Args)]
pub(crate) struct LaunchOptions {
    /// The plugin: a file, or a directory with a manifest
    #[arg(long, value_name = "PATH", requires = "sources")]
    plugin: Option<PathBuf>,
    /// The magic cookie that the plugin expects
    #[arg(long, value_name = "KEY=VALUE", default_value = "BASIC_PLUGIN=hello", value_parser = cookie)]
    cookie: (String, String),
    /// Offer only this protocol version, instead of 1 and 2
    #[arg(long, value_name = "N")]
    protocol: Option<u32>,
    /// Keep the values in this directory
    #[arg(long, value_name = "DIR", default_value = "kv-data")]
    data: PathBuf,
    /// Print the launch report to standard error
    #[arg(long)]
    report: bool,
    #[command(flatten)]
    log: LogLocation,
    /// Continue when a record cannot be written, and count the lost records
    #[arg(long)]
    audit_best_effort: bool,
    #[command(flatten)]
    sources: TrustSources,
}

fn cookie(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.into(), value.into())),
        _ => Err("expected KEY=VALUE".into()),
    }
}

impl LaunchOptions {
    pub(crate) fn has_plugin(&self) -> bool {
        self.plugin.is_some()
    }

    pub(crate) fn log(&self) -> &LogLocation {
        &self.log
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Opens the audit log. Call it first: an action that cannot be recorded must not happen.
    pub(crate) fn open_log(&self) -> Result<Log> {
        self.log.open(&self.data, self.audit_best_effort)
    }

    /// Verifies the plugin, launches it, and waits until it serves. Creates the data directory.
    pub(crate) async fn launch(self, log: &Log) -> Result<Plugin> {
        let path = self.plugin.context("no plugin was given")?;
        let data = private_directory(&self.data)?;
        let verified = self.sources.verify(&path, log)?;
        let (key, value) = self.cookie;
        // Both versions are offered, and the plugin chooses the highest that it has.
        let protocol = match self.protocol {
            Some(version) => Protocol::new(key, value, version),
            None => Protocol::new(key, value, 1).and_version(2),
        };
        let plugin = Plugin::builder(verified)
            .with_protocol(protocol)
            // The plugin gets only the variables of the handshake.
            .with_environment(Environment::empty())
            .with_working_directory(&data)
            .args(["--data".into(), data.into_os_string()])
            .with_recorder(Arc::new(log.clone()))
            // The default limit has no room for the key beside the largest value.
            .with_message_limit(KV_MESSAGE_BYTES)
            .launch()
            .await?;
        if self.report {
            eprintln!("{}", plugin.report());
        }
        Ok(plugin)
    }
}

/// Asks the plugin to exit, and kills it after [`SHUTDOWN_GRACE`].
pub(crate) async fn shut_down(plugin: &Plugin) {
    plugin.shutdown(SHUTDOWN_GRACE).await;
}

/// Creates the directory with mode 0700 if it is missing, and returns its canonical path.
pub(crate) fn private_directory(path: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let created = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    let canonical = created.and_then(|()| path.canonicalize());
    canonical.with_context(|| format!("cannot create or open the directory {}", Escaped::path(path)))
}
