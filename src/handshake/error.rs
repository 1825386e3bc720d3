//! Why host and plugin have no agreement: the plugin broke the protocol, or the two are
//! incompatible.

use std::fmt;

use crate::Escaped;

/// The host rejected the plugin's handshake line. It killed the plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The plugin closed its standard output before a complete line.
    #[error("the plugin closed its standard output before its handshake line was complete{}", Quoted(start))]
    Ended {
        /// The bytes before the end, at most 200.
        start: Vec<u8>,
    },
    /// The first line is too long, or has no end.
    #[error("the plugin's first line is longer than {limit} bytes{}", Quoted(start))]
    TooLong {
        /// The longest line that a host reads.
        limit: usize,
        /// The start of the line.
        start: Vec<u8>,
    },
    /// The first line is not a handshake line. Often it is output for people.
    #[error("the plugin's first line is not a handshake line: {fault}{}", Quoted(line))]
    Malformed {
        /// The fault in the line.
        fault: LineFault,
        /// The line, at most 200 bytes of it.
        line: Vec<u8>,
    },
    /// The plugin speaks another version of the handshake itself.
    #[error("the plugin speaks version {plugin} of the handshake, expected 1")]
    Core {
        /// The plugin's version.
        plugin: u32,
    },
    /// Host and plugin have no common version of the application's protocol.
    #[error("the plugin serves version {plugin} of the application's protocol, this host speaks {}", Versions(host))]
    Version {
        /// The version that the plugin chose.
        plugin: u32,
        /// The versions that the host offered.
        host: Vec<u32>,
    },
    /// The plugin does not speak gRPC.
    #[error("the plugin speaks {:?}, expected \"grpc\"{}", Escaped::new(protocol), protocol_hint(protocol))]
    Protocol {
        /// The plugin's protocol, at most 32 bytes of it.
        protocol: Vec<u8>,
    },
    /// The plugin listens at an address that this launch does not allow.
    #[error("the plugin's address {:?} is refused: {fault}", Escaped::new(address))]
    Address {
        /// The reason for the refusal.
        fault: AddressFault,
        /// The address, at most 200 bytes of it.
        address: Vec<u8>,
    },
    /// The plugin sent no usable certificate.
    #[error("{0}")]
    Certificate(CertificateFault),
}

impl HandshakeError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ended { .. } => "handshake-incomplete",
            Self::TooLong { .. } => "handshake-too-long",
            Self::Malformed { .. } => "handshake-malformed",
            Self::Core { .. } => "handshake-version",
            Self::Version { .. } => "protocol-version",
            Self::Protocol { .. } => "call-protocol",
            Self::Address { fault, .. } => fault.code(),
            Self::Certificate(fault) => fault.code(),
        }
    }

    /// The expected value, if the error compares two.
    pub fn expected(&self) -> Option<String> {
        match self {
            Self::TooLong { limit, .. } => Some(limit.to_string()),
            Self::Core { .. } => Some("1".into()),
            Self::Version { host, .. } => Some(Versions(host).to_string()),
            Self::Protocol { .. } => Some("grpc".into()),
            Self::Ended { .. } | Self::Malformed { .. } | Self::Address { .. } | Self::Certificate(_) => None,
        }
    }

    /// The value that the plugin sent instead, escaped.
    pub fn actual(&self) -> Option<String> {
        match self {
            Self::Core { plugin } | Self::Version { plugin, .. } => Some(plugin.to_string()),
            Self::Protocol { protocol } => Some(Escaped::new(protocol).to_string()),
            Self::Address { address, .. } => Some(Escaped::new(address).to_string()),
            Self::Ended { .. } | Self::TooLong { .. } | Self::Malformed { .. } | Self::Certificate(_) => None,
        }
    }
}

/// Why a line is not a handshake line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// Fewer than four fields.
    #[error("expected at least four fields separated by '|', found {found}")]
    Fields {
        /// The number of fields.
        found: usize,
    },
    /// A version is not a plain decimal number.
    #[error("field {field} is not a version number")]
    Number {
        /// The field, counted from one.
        field: usize,
    },
    /// The network is unknown.
    #[error("field 3 is neither 'unix' nor 'tcp'")]
    Network,
    /// The field about multiplexing is neither `true` nor `false`.
    #[error("field 7 is neither 'true' nor 'false'")]
    Multiplexing,
}

/// Why the host does not connect to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressFault {
    /// A Unix socket outside the private directory of this launch, or deeper inside it.
    #[error("it is not in the private directory of this launch (PLUGIN_UNIX_SOCKET_DIR)")]
    OutsideDirectory,
    /// Longer than a socket's path can be (unix(7)).
    #[error("it is longer than the 107 bytes of a socket's path")]
    TooLong,
    /// TCP, which this launch does not allow.
    #[error("it is a TCP address, and this launch allows only Unix sockets (allow_tcp_loopback permits TCP)")]
    Tcp,
    /// Not an IP address with a port. The host never resolves names.
    #[error("it is not an IP address with a port; names are not resolved")]
    NotLiteral,
    /// An address of another machine.
    #[error("it is not a loopback address")]
    NotLoopback,
}

impl AddressFault {
    fn code(self) -> &'static str {
        match self {
            Self::OutsideDirectory => "address-outside-directory",
            Self::TooLong => "address-too-long",
            Self::Tcp => "address-tcp",
            Self::NotLiteral => "address-not-literal",
            Self::NotLoopback => "address-not-loopback",
        }
    }
}

/// Why the host rejects the certificate in a handshake line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// The field is empty: the plugin does not secure its connection.
    #[error(
        "the plugin sent no certificate: it ignored PLUGIN_CLIENT_CERT and would speak plaintext, which this host does not accept"
    )]
    Missing,
    /// Too short for a certificate.
    #[error("the plugin sent {length} characters for its certificate, which is too short for one")]
    Short {
        /// The number of characters.
        length: usize,
    },
    /// Base64 with padding, which go-plugin hosts reject too.
    #[error("the plugin's certificate ends with '=', expected base64 without padding")]
    Padded,
    /// Not base64.
    #[error("the plugin's certificate is not base64 in the standard alphabet")]
    Encoding,
    /// The bytes are not an X.509 certificate.
    #[error("the plugin's certificate is not a single X.509 certificate in DER")]
    NotX509,
    /// The host's own certificate, sent back.
    #[error("the plugin sent the host's own certificate instead of one of its own")]
    Echoed,
}

impl CertificateFault {
    fn code(self) -> &'static str {
        match self {
            Self::Missing => "certificate-missing",
            Self::Short { .. } => "certificate-too-short",
            Self::Padded => "certificate-padded",
            Self::Encoding => "certificate-not-base64",
            Self::NotX509 => "certificate-not-x509",
            Self::Echoed => "certificate-of-host",
        }
    }
}

/// The start of a plugin's text, for an error.
pub(super) fn truncate(text: &[u8], bytes: usize) -> Vec<u8> {
    text[..text.len().min(bytes)].to_vec()
}

struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b"" => f.write_str("\n  it wrote nothing"),
            text => write!(f, "\n  it wrote: {}", Escaped::new(text)),
        }
    }
}

struct Versions<'a>(&'a [u32]);

impl fmt::Display for Versions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, version) in self.0.iter().enumerate() {
            write!(f, "{}{version}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn protocol_hint(protocol: &[u8]) -> &'static str {
    match protocol {
        b"netrpc" => " (net/rpc carries Go's own encoding; such a plugin has to be built with a gRPC server)",
        _ => "",
    }
}
