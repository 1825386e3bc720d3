//! The command line: which verbs there are, and what is wrong with one that has none of them. Does
//! nothing that a verb does.

use clap::{Parser, Subcommand};
use cli_support::Exit;

use crate::OUTPUT;
use crate::{inspect, issue};

/// Certificates for manual TLS between hosts and plugins, for debugging, and for tests
///
/// Nothing here is part of a launch: hosts and plugins make certificates of their own for each.
///
/// Results go to standard output, everything else to standard error. Files are made new: nothing is
/// overwritten.
///
/// Exit status: 0 when all is well, 2 when something could not be read, made or written, or the
/// command line is wrong.
#[derive(Debug, Parser)]
// Named here, because the name that the program was started by is foreign text.
#[command(version, bin_name = "certs-tooling")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// A private certification authority
    #[command(subcommand)]
    Ca(Ca),
    /// The end that connects
    #[command(subcommand)]
    Host(Host),
    /// The end that is connected to
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
    /// Make a key and a certificate for a host
    ///
    /// Writes host.pem and host-key.pem. The certificate is for opening connections only
    /// (clientAuth).
    Issue(issue::IdentityArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Make a key and a certificate for a plugin
    ///
    /// Writes plugin.pem and plugin-key.pem. The certificate is for accepting connections only
    /// (serverAuth).
    Issue(issue::IdentityArguments),
}

/// Parses the command line. When there is no verb to run, prints why and returns the exit.
pub(crate) fn parse() -> Result<Verb, Exit> {
    OUTPUT.parse::<Cli>().map(|cli| cli.verb)
}
