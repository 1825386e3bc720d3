//! The handshake line as text: read from a plugin's output, parsed, and written by plugins of this
//! crate. Checks the form; `negotiate` checks the values.

use std::ffi::OsStr;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::error::{CertificateFault, HandshakeError, LineFault, truncate};
use crate::limits::handshake::{HANDSHAKE_LINE_BYTES, PROTOCOL_FIELD_BYTES, QUOTED_BYTES};

/// The shortest sixth field that is a certificate. go-plugin hosts ignore a shorter one, and no
/// certificate is that short.
const CERTIFICATE_MINIMUM: usize = 51;

/// The fields of one handshake line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HandshakeLine {
    pub(crate) core: u32,
    pub(crate) version: u32,
    pub(crate) network: Network,
    /// As written. Its form depends on the network.
    pub(crate) address: Vec<u8>,
    pub(crate) protocol: Vec<u8>,
    /// The plugin's certificate in DER, or why it cannot be read. `None` if the field is empty.
    pub(crate) certificate: Option<Result<Vec<u8>, CertificateFault>>,
    /// Whether the plugin multiplexes. `None` if it does not say.
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
    /// Parses a line without its line feed. Ignores a carriage return at its end.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        Self::parse_fields(line.strip_suffix(b"\r").unwrap_or(line))
            .map_err(|fault| HandshakeError::Malformed { fault, line: truncate(line, QUOTED_BYTES) })
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
            // The oldest form of the line has four fields, and means net/rpc.
            protocol: rest.first().map_or(b"netrpc".to_vec(), |protocol| truncate(protocol, PROTOCOL_FIELD_BYTES)),
            certificate: rest.get(1).filter(|field| !field.is_empty()).map(|field| certificate(field)),
            multiplexing: match rest.get(2) {
                None | Some(&b"") => None,
                Some(&b"true") => Some(true),
                Some(&b"false") => Some(false),
                Some(_) => return Err(LineFault::Multiplexing),
            },
        })
    }

    /// The line as bytes, with its line feed.
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

    /// The address as IP address and port. `None` for a name, an IPv6 scope, or port 0.
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

/// Collects the first line from pieces of output, up to a limit. The caller reads the pieces.
#[derive(Debug, Default)]
pub(crate) struct LineReader {
    buffer: Vec<u8>,
}

impl LineReader {
    /// Adds the next piece. Returns the line, without its line feed, once it is complete; drops the
    /// bytes that follow it.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Option<Vec<u8>>, HandshakeError> {
        let end = piece.iter().position(|byte| *byte == b'\n');
        let part = &piece[..end.unwrap_or(piece.len())];
        if self.buffer.len() + part.len() > HANDSHAKE_LINE_BYTES {
            self.buffer.extend_from_slice(&part[..part.len().min(QUOTED_BYTES)]);
            return Err(HandshakeError::TooLong {
                limit: HANDSHAKE_LINE_BYTES,
                start: truncate(&self.buffer, QUOTED_BYTES),
            });
        }
        self.buffer.extend_from_slice(part);
        Ok(end.map(|_| std::mem::take(&mut self.buffer)))
    }

    /// The error if the output ends here.
    pub(crate) fn ended(&self) -> HandshakeError {
        HandshakeError::Ended { start: truncate(&self.buffer, QUOTED_BYTES) }
    }
}

/// Parses plain decimal digits: no sign, no blanks, no leading zeros.
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

    #[test]
    fn line_in_pieces_is_joined() {
        let mut reader = LineReader::default();
        assert_eq!(reader.push(b"1|1|un"), Ok(None));
        assert_eq!(reader.push(b""), Ok(None));
        assert_eq!(reader.push(b"ix|/x\nmore\n"), Ok(Some(b"1|1|unix|/x".to_vec())));
    }

    #[test]
    fn line_length_is_limited() {
        let mut reader = LineReader::default();
        assert_eq!(reader.push(&[b'x'; HANDSHAKE_LINE_BYTES]), Ok(None));
        assert_eq!(reader.push(b"\n").unwrap().unwrap().len(), HANDSHAKE_LINE_BYTES);

        let mut reader = LineReader::default();
        assert_eq!(reader.push(&[b'x'; HANDSHAKE_LINE_BYTES]), Ok(None));
        let error = reader.push(b"x").unwrap_err();
        assert!(matches!(&error, HandshakeError::TooLong { limit: HANDSHAKE_LINE_BYTES, start } if start.len() == 200));
        assert!(matches!(
            LineReader::default().push(&[b'x'; HANDSHAKE_LINE_BYTES + 1]),
            Err(HandshakeError::TooLong { .. })
        ));
    }

    #[test]
    fn output_end_before_line_feed_is_quoted() {
        let mut reader = LineReader::default();
        assert_eq!(reader.push(b"panic: \x1b[31moh"), Ok(None));
        assert_eq!(
            reader.ended().to_string(),
            "the plugin closed its standard output before its handshake line was complete\n  it wrote: panic: \\u{1b}[31moh"
        );
    }
}
