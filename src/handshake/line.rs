//! The handshake line as text: parsed from what a plugin wrote, and written by our own plugins.
//! Judges form, not content.

use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::error::{CertificateFault, HandshakeError, LineFault, cut};

/// go-plugin hosts take a shorter sixth field for something else than a certificate, and no
/// certificate is that short.
const CERTIFICATE_MINIMUM: usize = 51;

/// One handshake line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HandshakeLine {
    pub(crate) core: u32,
    pub(crate) version: u32,
    pub(crate) network: Network,
    /// As written: what it means depends on the network.
    pub(crate) address: Vec<u8>,
    pub(crate) protocol: Vec<u8>,
    /// The DER of the plugin's certificate, if the field is not empty.
    pub(crate) certificate: Option<Result<Vec<u8>, CertificateFault>>,
    /// Whether the plugin multiplexes, if it says.
    pub(crate) multiplexing: Option<bool>,
}

/// The kind of a plugin's listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Network {
    /// A Unix socket.
    Unix,
    /// A TCP port.
    Tcp,
}

impl HandshakeLine {
    /// Takes a line apart, given without its line feed. A carriage return at its end is dropped.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        Self::parse_fields(line.strip_suffix(b"\r").unwrap_or(line))
            .map_err(|fault| HandshakeError::Malformed { fault, line: cut(line, 200) })
    }

    fn parse_fields(line: &[u8]) -> Result<Self, LineFault> {
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b'|').collect();
        let [core, version, network, address, rest @ ..] = fields.as_slice() else {
            return Err(LineFault::Fields { found: if line.is_empty() { 0 } else { fields.len() } });
        };
        Ok(Self {
            core: number(core).ok_or(LineFault::Number { field: 1 })?,
            version: number(version).ok_or(LineFault::Number { field: 2 })?,
            network: match *network {
                b"unix" => Network::Unix,
                b"tcp" => Network::Tcp,
                _ => return Err(LineFault::Network),
            },
            address: address.to_vec(),
            // Four fields are the oldest form of the line, from when there was only net/rpc.
            protocol: rest.first().map_or(b"netrpc".to_vec(), |protocol| cut(protocol, 32)),
            certificate: rest.get(1).filter(|field| !field.is_empty()).map(|field| certificate(field)),
            multiplexing: match rest.get(2) {
                None | Some(&b"") => None,
                Some(&b"true") => Some(true),
                Some(&b"false") => Some(false),
                Some(_) => return Err(LineFault::Multiplexing),
            },
        })
    }

    /// The line of a plugin of ours, which listens on a Unix socket.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut line = format!("{}|{}|{}|", self.core, self.version, self.network).into_bytes();
        line.extend_from_slice(&self.address);
        line.push(b'|');
        line.extend_from_slice(&self.protocol);
        line.push(b'|');
        if let Some(Ok(certificate)) = &self.certificate {
            line.extend_from_slice(STANDARD_NO_PAD.encode(certificate).as_bytes());
        }
        if let Some(multiplexing) = self.multiplexing {
            line.extend_from_slice(format!("|{multiplexing}").as_bytes());
        }
        line.push(b'\n');
        line
    }

    pub(super) fn unix_path(&self) -> PathBuf {
        OsStr::from_bytes(&self.address).into()
    }

    /// A literal address and port. Names are not looked up.
    pub(super) fn socket_address(&self) -> Option<SocketAddr> {
        let text = str::from_utf8(&self.address).ok()?;
        let address: SocketAddr = text.parse().ok()?;
        let scoped = matches!(address, SocketAddr::V6(v6) if v6.scope_id() != 0 || text.contains('%'));
        (!scoped && address.port() != 0).then_some(address)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unix => "unix",
            Self::Tcp => "tcp",
        })
    }
}

/// Plain decimal digits, without sign, blanks and leading zeros.
pub(super) fn number(field: &[u8]) -> Option<u32> {
    let plain = field.iter().all(u8::is_ascii_digit) && (field.len() == 1 || !field.starts_with(b"0"));
    plain.then(|| str::from_utf8(field).ok()?.parse().ok())?
}

fn certificate(field: &[u8]) -> Result<Vec<u8>, CertificateFault> {
    if field.len() < CERTIFICATE_MINIMUM {
        return Err(CertificateFault::Short { length: field.len() });
    }
    if field.ends_with(b"=") {
        return Err(CertificateFault::Padded);
    }
    STANDARD_NO_PAD.decode(field).map_err(|_| CertificateFault::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> HandshakeLine {
        HandshakeLine::parse(line.as_bytes()).unwrap()
    }

    fn fault(line: &[u8]) -> LineFault {
        match HandshakeLine::parse(line) {
            Err(HandshakeError::Malformed { fault, .. }) => fault,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn lines_of_go_plugin_are_parsed() {
        let line = parsed("1|7|unix|/tmp/plugin2949602737|grpc|");
        assert_eq!((line.core, line.version, line.network), (1, 7, Network::Unix));
        assert_eq!((line.address.as_slice(), line.protocol.as_slice()), (&b"/tmp/plugin2949602737"[..], &b"grpc"[..]));
        assert_eq!((line.certificate, line.multiplexing), (None, None));
        assert_eq!(parsed("1|1|tcp|127.0.0.1:1234\r").protocol, b"netrpc");
        assert_eq!(parsed("1|1|unix|/x|grpc||true").multiplexing, Some(true));
        assert_eq!(parsed("1|1|unix|/x|grpc||false|more|fields").multiplexing, Some(false));
        assert_eq!(parsed("1|4294967295|unix|/x|grpc").version, u32::MAX);
    }

    #[test]
    fn malformed_lines_have_named_faults() {
        for (line, expected) in [
            (&b""[..], LineFault::Fields { found: 0 }),
            (b"hello from the plugin", LineFault::Fields { found: 1 }),
            (b"1|2|3", LineFault::Fields { found: 3 }),
            (b"\xef\xbb\xbf1|1|unix|/x|grpc|", LineFault::Number { field: 1 }),
            (b"1\0|\x001|u|n|i|x", LineFault::Number { field: 1 }),
            (b" 1|1|unix|/x|grpc|", LineFault::Number { field: 1 }),
            (b"1 |1|unix|/x|grpc|", LineFault::Number { field: 1 }),
            (b"+1|1|unix|/x|grpc|", LineFault::Number { field: 1 }),
            (b"01|1|unix|/x|grpc|", LineFault::Number { field: 1 }),
            (b"|1|unix|/x|grpc|", LineFault::Number { field: 1 }),
            (b"1|01|unix|/x|grpc|", LineFault::Number { field: 2 }),
            (b"1|-1|unix|/x|grpc|", LineFault::Number { field: 2 }),
            (b"1|1e0|unix|/x|grpc|", LineFault::Number { field: 2 }),
            (b"1|4294967296|unix|/x|grpc|", LineFault::Number { field: 2 }),
            (b"1|99999999999999999999|unix|/x|grpc|", LineFault::Number { field: 2 }),
            ("1|٣|unix|/x|grpc|".as_bytes(), LineFault::Number { field: 2 }),
            (b"1|1||/x|grpc|", LineFault::Network),
            (b"1|1|udp|/x|grpc|", LineFault::Network),
            (b"1|1|UNIX|/x|grpc|", LineFault::Network),
            (b"1|1|vsock|2:3|grpc|", LineFault::Network),
            (b"1|1|unix|/x|grpc||TRUE", LineFault::Multiplexing),
        ] {
            assert_eq!(fault(line), expected, "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn certificate_is_unpadded_standard_base64() {
        let with = |field: &str| parsed(&format!("1|1|unix|/x|grpc|{field}")).certificate;
        let long = "A".repeat(56);
        assert_eq!(with(""), None);
        assert_eq!(with(&"A".repeat(50)), Some(Err(CertificateFault::Short { length: 50 })));
        assert_eq!(with(&long), Some(Ok(vec![0; 42])));
        assert_eq!(with(&format!("{long}AA==")), Some(Err(CertificateFault::Padded)));
        assert_eq!(with(&format!("{long}-_-_")), Some(Err(CertificateFault::Encoding)));
        assert_eq!(with(&format!("{long} AAA")), Some(Err(CertificateFault::Encoding)));
        assert_eq!(with(&format!("{long}A")), Some(Err(CertificateFault::Encoding)));
        assert_eq!(with(&format!("-----BEGIN CERTIFICATE-----{long}")), Some(Err(CertificateFault::Encoding)));
    }

    #[test]
    fn socket_addresses_are_literal_with_a_port() {
        let address = |text: &str| parsed(&format!("1|1|tcp|{text}|grpc|")).socket_address();
        assert!(address("127.0.0.1:1234").is_some());
        assert!(address("[::1]:1234").is_some());
        for text in [
            "",
            "localhost:1234",
            ":1234",
            "127.0.0.1",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "[::1%1]:1234",
            "[fe80::1%lo]:1",
            "127.1:80",
            "0x7f.0.0.1:80",
            "127.0.0.1:http",
            "127.0.0.1:1234 ",
        ] {
            assert_eq!(address(text), None, "{text:?}");
        }
    }

    #[test]
    fn written_line_matches_go_plugin() {
        let mut line = parsed("1|3|unix|/run/p|grpc|");
        assert_eq!(line.write(), b"1|3|unix|/run/p|grpc|\n");
        line.certificate = Some(Ok(vec![0xff; 40]));
        assert_eq!(line.write(), format!("1|3|unix|/run/p|grpc|{}w\n", "/".repeat(53)).into_bytes());
        line.multiplexing = Some(false);
        assert!(line.write().ends_with(b"w|false\n"));
        assert_eq!(HandshakeLine::parse(line.write().strip_suffix(b"\n").unwrap()).unwrap(), line);
    }
}
