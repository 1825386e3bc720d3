//! The command line: the list of verbs. Runs none of them.

use clap::{Parser, Subcommand};
use cli_support::Exit;

use crate::OUTPUT;
use crate::{inspect, issue};

/// Create and inspect certificates for manual TLS, for debugging and for tests
///
/// Launches do not need it: hosts and plugins create a certificate for each launch themselves.
///
/// Results go to standard output, warnings and errors to standard error. Existing files are never
/// overwritten.
///
/// Example: certs-tooling ca new --out pki
///
/// Exit status: 0 success, 2 something could not be read, created or written, or the command line
/// is wrong.
#[derive(Debug, Parser)]
// Named here, because the name that the program was started by is foreign text.
#[command(version, bin_name = "certs-tooling")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Manage a private certification authority
    #[command(subcommand)]
    Ca(Ca),
    /// Manage identities of hosts, which connect
    #[command(subcommand)]
    Host(Host),
    /// Manage identities of plugins, which accept connections
    #[command(subcommand)]
    Plugin(Plugin),
    AutoMtls(issue::AutoMtlsArguments),
    Inspect(inspect::Arguments),
    Fingerprint(inspect::FingerprintArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Ca {
    New(issue::CaArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    /// Create a key and a certificate for a host
    ///
    /// Writes host.pem and host-key.pem. The certificate is valid for opening connections only
    /// (clientAuth).
    ///
    /// Example: certs-tooling host issue --ca pki --out pki --name builder
    Issue(issue::IdentityArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Create a key and a certificate for a plugin
    ///
    /// Writes plugin.pem and plugin-key.pem. The certificate is valid for accepting connections
    /// only (serverAuth).
    ///
    /// Example: certs-tooling plugin issue --ca pki --out pki --name kv
    Issue(issue::IdentityArguments),
}

/// Parses the command line. When there is no verb to run, prints why and returns the exit.
pub(crate) fn parse() -> Result<Verb, Exit> {
    OUTPUT.parse::<Cli>().map(|cli| cli.verb)
}
