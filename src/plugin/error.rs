//! Why a plugin could not serve. Its text ends on standard error, where the host, or a person,
//! reads it.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::Escaped;
use crate::handshake::CertificateFault;
use crate::launch::LaunchError;
use crate::tls::TlsError;

/// A plugin could not serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A person started the program, or a host that does not know its cookie.
    #[error(
        "This program is a plugin: a host program starts it and talks to it.\n\
         It does nothing by itself. To use it, give it to a host that knows it."
    )]
    NotLaunched,
    /// The plugin's own configuration names no cookie or serves no version.
    #[error("this plugin is misconfigured: it has no {what}")]
    Misconfigured {
        /// What is missing.
        what: &'static str,
    },
    /// Standard output could not be taken for the handshake.
    #[error("standard output cannot be used for the handshake")]
    Stdout(#[source] io::Error),
    /// The host offers no certificate.
    #[error(
        "the host offers no certificate (PLUGIN_CLIENT_CERT), so anyone could be calling; \
         a plugin that must serve such hosts says so with dangerous_allow_plaintext"
    )]
    NoHostCertificate,
    /// What the host offers as its certificate is none.
    #[error("PLUGIN_CLIENT_CERT holds no single certificate in PEM")]
    HostCertificate(#[source] CertificateFault),
    /// No certificate for this plugin could be made.
    #[error("no certificate for this plugin could be made")]
    Identity(#[source] TlsError),
    /// No private directory for the socket could be made.
    #[error("no private directory for the socket could be made")]
    Directory(#[source] LaunchError),
    /// The path of the socket cannot stand in a handshake line.
    #[error("the socket's directory {} cannot be used: its path contains '|' or a line feed", Escaped::path(path))]
    DirectoryName {
        /// The directory.
        path: PathBuf,
    },
    /// The plugin could not listen.
    #[error("cannot listen on a socket in {}", Escaped::path(path))]
    Listen {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The plugin's own code could not set up its services.
    #[error("the plugin's services could not be set up")]
    Services(#[source] Box<dyn Error + Send + Sync>),
    /// The asynchronous runtime, the signal handlers or the handshake line failed.
    #[error("{doing} failed")]
    System {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl ServeError {
    pub(super) fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { doing, source }
    }
}
