//! Why a plugin could not serve. The plugin writes the text to standard error, for the host or a
//! person.

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
    /// A person started the program, or a host with another cookie.
    #[error(
        "This program is a plugin. A host program starts it and calls it.\n\
         It does nothing when started directly. To use it, configure it in its host."
    )]
    NotLaunched,
    /// The plugin's code sets no cookie or serves no version.
    #[error("this plugin is misconfigured: it has no {what}")]
    Misconfigured {
        /// The missing part.
        what: &'static str,
    },
    /// Standard output could not be claimed for the handshake.
    #[error("standard output cannot be used for the handshake")]
    Stdout(#[source] io::Error),
    /// The host sent no certificate.
    #[error(
        "the host sent no certificate (PLUGIN_CLIENT_CERT), so every process of this user could call the plugin; \
         dangerous_allow_plaintext serves such hosts"
    )]
    NoHostCertificate,
    /// The host's certificate cannot be read.
    #[error("PLUGIN_CLIENT_CERT is not a single certificate in PEM")]
    HostCertificate(#[source] CertificateFault),
    /// No certificate could be generated for this plugin.
    #[error("cannot generate a certificate for this plugin")]
    Identity(#[source] TlsError),
    /// No private directory could be created for the socket.
    #[error("cannot create a private directory for the socket")]
    Directory(#[source] LaunchError),
    /// A handshake line cannot contain the path of the socket.
    #[error("cannot use {} as the directory of the socket: its path contains '|' or a line feed", Escaped::path(path))]
    DirectoryName {
        /// The directory.
        path: PathBuf,
    },
    /// The plugin could not listen.
    #[error("cannot listen on a socket in {}", Escaped::path(path))]
    Listen {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The plugin's code could not create its services.
    #[error("cannot set up the plugin's services")]
    Services(#[source] Box<dyn Error + Send + Sync>),
    /// The asynchronous runtime, the signal handlers or the handshake line failed.
    #[error("{doing} failed")]
    System {
        /// The operation that failed.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
}

impl ServeError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotLaunched => "not-launched",
            Self::Misconfigured { .. } => "plugin-misconfigured",
            Self::Stdout(_) => "stdout-unusable",
            Self::NoHostCertificate => "host-certificate-missing",
            Self::HostCertificate(_) => "host-certificate-malformed",
            Self::Identity(_) => "plugin-identity",
            Self::Directory(_) => "socket-directory",
            Self::DirectoryName { .. } => "socket-directory-name",
            Self::Listen { .. } => "listen-failed",
            Self::Services(_) => "services-failed",
            Self::System { .. } => "system",
        }
    }

    pub(super) fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { doing, source }
    }
}
