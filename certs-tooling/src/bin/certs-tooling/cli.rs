//! The command line: which verbs there are, and what is wrong with one that has none of them. Does
//! nothing that a verb does.

use clap::error::ContextValue;
use clap::{Parser, Subcommand};
use portcullis::Escaped;

use crate::exit::Exit;
use crate::{auto_mtls, inspect, issue};

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
    AutoMtls(auto_mtls::Arguments),
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

/// The verb that was asked for; or how to end, when there is none and the person was told why.
pub(crate) fn parse() -> Result<Verb, Exit> {
    match Cli::try_parse() {
        Ok(cli) => Ok(cli.verb),
        Err(error) => Err(tell(error)),
    }
}

/// Prints the help that was asked for, or the usage error.
fn tell(error: clap::Error) -> Exit {
    let is_error = error.use_stderr();
    let written = escaped(error).print();
    if is_error { Exit::Failed } else { Exit::Success.after(written) }
}

/// The same error with what it quotes from the command line made safe to show: a name that begins
/// with a dash is quoted too.
fn escaped(mut error: clap::Error) -> clap::Error {
    let quoted: Vec<_> =
        error.context().filter_map(|(kind, value)| escaped_value(value).map(|safe| (kind, safe))).collect();
    for (kind, value) in quoted {
        error.insert(kind, value);
    }
    error
}

fn escaped_value(value: &ContextValue) -> Option<ContextValue> {
    match value {
        ContextValue::String(text) => Some(ContextValue::String(Escaped::new(text).to_string())),
        // Tips, which repeat what was given. The line breaks that they may hold are not clap's own.
        ContextValue::StyledStrs(tips) => {
            let safe = tips.iter().map(|tip| Escaped::new(&tip.to_string()).to_string().into());
            Some(ContextValue::StyledStrs(safe.collect()))
        }
        _ => None,
    }
}
