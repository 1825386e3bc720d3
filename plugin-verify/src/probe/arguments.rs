//! The command line of a probe, translated for the library. Starts nothing.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use cli_support::OutputFormat;
use portcullis::Protocol;
use portcullis::host::{Environment, LaunchBuilder, LaunchParameters, Plugin};
use portcullis::verify::VerifiedPlugin;

use super::session::ProbeError;
use crate::trust::TrustSources;

/// Launch a plugin, show what a host sees of it, and shut it down
///
/// Verifies the file as `check` does, launches the verified copy, waits until the plugin is ready,
/// lists its services and shuts it down. Calls no service of the application.
///
/// The plugin runs with the rights of this user, so a trust source is required. To probe a file
/// without one, approve its current bytes: --sha256 "$(plugin-verify digest FILE | cut -d' ' -f1)".
///
/// Example: plugin-verify probe --lock plugins.lock --cookie KV_PLUGIN=hello ./plugins/kv
///
/// Exit status: 0 ready and shut down, 1 refused, 2 not ready in time, or the probe failed.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    trust: TrustSources,

    #[command(flatten)]
    pub(super) format: OutputFormat,

    /// Magic cookie that the plugin expects in its environment
    #[arg(long, value_name = "KEY=VALUE", default_value = "BASIC_PLUGIN=hello", value_parser = cookie)]
    cookie: (String, String),

    /// Version of the application's protocol to offer. May be repeated
    #[arg(long, value_name = "N", default_value = "1")]
    protocol: Vec<u32>,

    /// Time for the plugin to become ready, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,

    /// Environment variable for the plugin: inherited, or with its own value. May be repeated
    ///
    /// The plugin gets no other variables, except those of the handshake.
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<OsString>,

    /// Allow the plugin to listen on a loopback TCP address, to which every local user can connect
    #[arg(long)]
    allow_tcp_loopback: bool,

    /// The file or plugin directory to launch
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,

    /// Arguments for the plugin
    #[arg(last = true, value_name = "ARGS")]
    arguments: Vec<OsString>,
}

impl Arguments {
    pub(super) fn verify(&self) -> Result<VerifiedPlugin, ProbeError> {
        let policy = self.trust.policy().map_err(ProbeError::Source)?;
        self.trust.decide(&policy, &self.file).into_outcome().map_err(|error| ProbeError::Launch(error.into()))
    }

    pub(super) fn builder(
        &self,
        verified: VerifiedPlugin,
        environment: Environment,
    ) -> LaunchBuilder<LaunchParameters> {
        let builder = Plugin::builder(verified)
            .with_protocol(self.protocol())
            .with_environment(environment)
            .with_start_timeout(Duration::from_secs(self.timeout.into()))
            .args(self.arguments.iter());
        if self.allow_tcp_loopback { builder.allow_tcp_loopback() } else { builder }
    }

    fn protocol(&self) -> Protocol {
        let (key, value) = self.cookie.clone();
        let first = self.protocol.first().copied().unwrap_or(1);
        self.protocol.iter().fold(Protocol::new(key, value, first), |protocol, version| protocol.and_version(*version))
    }

    /// The variables named on the command line, and no others.
    pub(super) fn environment(&self) -> Result<Environment, ProbeError> {
        self.env.iter().try_fold(Environment::empty(), |environment, variable| {
            let bytes = variable.as_bytes();
            let environment = match bytes.iter().position(|byte| *byte == b'=') {
                Some(end) => environment.set(OsStr::from_bytes(&bytes[..end]), OsStr::from_bytes(&bytes[end + 1..])),
                // `inherit` skips an unset variable. Here it was named on the command line, so the
                // plugin needs it.
                None if std::env::var_os(variable).is_none() => return Err(ProbeError::NotSet(variable.clone())),
                None => environment.inherit(variable),
            };
            environment.map_err(ProbeError::Environment)
        })
    }
}

fn cookie(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.into(), value.into())),
        _ => Err("expected KEY=VALUE"),
    }
}
