//! What can be said on the command line of a probe, and what it means to the library. Starts
//! nothing.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use cli_support::OutputFormat;
use portcullis::Protocol;
use portcullis::host::{Builder, Environment, Plugin, Ready};
use portcullis::verify::VerifiedPlugin;

use super::session::ProbeError;
use crate::trust::TrustSources;

/// Launch a file as a plugin, show what a host sees of it, and shut it down
///
/// Verifies the file as check does, launches exactly those bytes, waits until the plugin is ready,
/// asks which services it has, and shuts it down. Calls none of the application's services.
///
/// The plugin runs with the rights of this user, so a digest has to be named. Whoever wants to
/// probe a file that nobody vouches for approves it by that: --sha256 "$(plugin-verify digest FILE
/// | cut -d' ' -f1)".
///
/// Exit status: 0 ready and shut down, 1 refused, 2 not ready, not in time, or not to be found out.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    trust: TrustSources,

    #[command(flatten)]
    pub(super) format: OutputFormat,

    /// The cookie that the plugin expects
    #[arg(long, value_name = "KEY=VALUE", default_value = "BASIC_PLUGIN=hello", value_parser = cookie)]
    cookie: (String, String),

    /// A version of the application's protocol that is offered; may be repeated
    #[arg(long, value_name = "N", default_value = "1")]
    protocol: Vec<u32>,

    /// How long the plugin may take to become ready
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,

    /// A variable for the plugin, as it is here or with a value of its own; may be repeated
    ///
    /// The plugin finds no others but those of the protocol.
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<OsString>,

    /// Let the plugin listen on a loopback address, where every local user can connect
    #[arg(long)]
    allow_tcp_loopback: bool,

    /// The file to launch
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

    pub(super) fn builder(&self, verified: VerifiedPlugin, environment: Environment) -> Builder<Ready> {
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

    /// What was named, and nothing else.
    pub(super) fn environment(&self) -> Result<Environment, ProbeError> {
        self.env.iter().try_fold(Environment::empty(), |environment, variable| {
            let bytes = variable.as_bytes();
            let environment = match bytes.iter().position(|byte| *byte == b'=') {
                Some(end) => environment.set(OsStr::from_bytes(&bytes[..end]), OsStr::from_bytes(&bytes[end + 1..])),
                // The library passes over what is not there. Who named it wants the plugin to have
                // it.
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
