//! Why host and plugin did not come to terms: the plugin misbehaved, or the two are incompatible.

use std::fmt;

use crate::Escaped;

/// The plugin's handshake line was refused. The plugin was killed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The plugin closed its standard output before it had written a whole line.
    #[error("the plugin closed its standard output before its handshake line was complete{}", Quoted(start))]
    Ended {
        /// What it had written, cut after 200 bytes.
        start: Vec<u8>,
    },
    /// The first line does not end.
    #[error("the plugin's first line has more than {limit} bytes{}", Quoted(start))]
    TooLong {
        /// The longest line that is read.
        limit: usize,
        /// How it starts.
        start: Vec<u8>,
    },
    /// The first line is no handshake line. Often it is something that the plugin printed for
    /// people.
    #[error("the plugin's first line is no handshake line: {fault}{}", Quoted(line))]
    Malformed {
        /// What is wrong with it.
        fault: LineFault,
        /// The line, cut after 200 bytes.
        line: Vec<u8>,
    },
    /// The plugin speaks another version of the handshake itself.
    #[error("the plugin speaks version {plugin} of the handshake, this host only version 1")]
    Core {
        /// The plugin's version.
        plugin: u32,
    },
    /// Host and plugin have no version of the application's protocol in common.
    #[error("the plugin serves version {plugin} of the application's protocol, this host speaks {}", Listed(host))]
    Version {
        /// The version that the plugin chose.
        plugin: u32,
        /// The versions that the host offered.
        host: Vec<u32>,
    },
    /// The plugin does not speak gRPC.
    #[error("the plugin speaks {:?}, not grpc{}", Escaped::new(protocol), hint(protocol))]
    Protocol {
        /// What it speaks, cut after 32 bytes.
        protocol: Vec<u8>,
    },
    /// The plugin listens where it may not.
    #[error("the plugin's address {:?} is refused: {fault}", Escaped::new(address))]
    Address {
        /// What is wrong with it.
        fault: AddressFault,
        /// The address, cut after 200 bytes.
        address: Vec<u8>,
    },
    /// The plugin sent no usable certificate of its own.
    #[error("{0}")]
    Certificate(CertificateFault),
}

/// Why a line is no handshake line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineFault {
    /// Fewer than four fields.
    #[error("it has {found} of at least four fields separated by '|'")]
    Fields {
        /// How many there are.
        found: usize,
    },
    /// A version is not a plain decimal number.
    #[error("field {field} is no version number")]
    Number {
        /// Which field, counted from one.
        field: usize,
    },
    /// The network is not known.
    #[error("field 3 names a network other than 'unix' and 'tcp'")]
    Network,
    /// The field about multiplexing is neither `true` nor `false`.
    #[error("field 7 is neither 'true' nor 'false'")]
    Multiplexing,
}

/// Why an address is refused. No connection was attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressFault {
    /// A Unix socket that does not lie directly in the private directory of this launch.
    #[error("it is not in the private directory of this launch (PLUGIN_UNIX_SOCKET_DIR)")]
    OutsideDirectory,
    /// Longer than a socket's path can be.
    #[error("it is longer than the 107 bytes of a socket's path")]
    TooLong,
    /// TCP, which was not allowed.
    #[error("it is a TCP address, and this launch allows only Unix sockets (allow_tcp_loopback opens that)")]
    Tcp,
    /// TCP with something else than a literal address and a port. Names are never looked up.
    #[error("it is no literal IP address with a port; names are not looked up")]
    NotLiteral,
    /// TCP beyond this machine.
    #[error("it is not a loopback address")]
    NotLoopback,
}

/// Why the certificate in the handshake line is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// There is none: the plugin does not secure its connection.
    #[error(
        "the plugin sent no certificate: it ignored PLUGIN_CLIENT_CERT and would talk in plain text, which this host does not do"
    )]
    Missing,
    /// Too short to be one.
    #[error("the plugin sent {length} characters for its certificate, which is too short for one")]
    Short {
        /// The number of characters.
        length: usize,
    },
    /// Base64 with padding, which go-plugin hosts refuse too.
    #[error("the plugin's certificate ends with '=': it must be base64 without padding")]
    Padded,
    /// Not base64 in the standard alphabet.
    #[error("the plugin's certificate is not base64 in the standard alphabet")]
    Encoding,
    /// The bytes are no X.509 certificate.
    #[error("the plugin's certificate is no single X.509 certificate in DER")]
    NotX509,
    /// It is the host's own certificate, sent back.
    #[error("the plugin sent the host's own certificate back as its own")]
    Echoed,
}

/// How much of what a plugin wrote is kept for an error.
pub(super) fn cut(text: &[u8], limit: usize) -> Vec<u8> {
    text[..text.len().min(limit)].to_vec()
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

struct Listed<'a>(&'a [u32]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, version) in self.0.iter().enumerate() {
            write!(f, "{}{version}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

fn hint(protocol: &[u8]) -> &'static str {
    match protocol {
        b"netrpc" => " (net/rpc carries Go's own encoding; such a plugin has to be built with a gRPC server)",
        _ => "",
    }
}
