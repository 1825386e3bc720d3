//! Compares a well-formed line with the host's offer: an agreement, or the reason for none. Does
//! not connect.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use super::error::{AddressFault, CertificateFault, HandshakeError, truncate};
use super::line::{HandshakeLine, Network, number};
use crate::Escaped;
use crate::limits::handshake::QUOTED_BYTES;

/// The version of the handshake. There is only one.
pub(crate) const HANDSHAKE_VERSION: u32 = 1;

/// The longest path of a Unix socket: `sun_path` has 108 bytes with the NUL (unix(7)).
const SOCKET_PATH_BYTES: usize = 107;

/// The versions and transports that the host accepts.
#[derive(Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) versions: &'a BTreeSet<u32>,
    /// The directory that a Unix socket must be in.
    pub(crate) directory: &'a Path,
    pub(crate) tcp_loopback: bool,
    /// The host's own certificate, which the plugin must not claim.
    pub(crate) certificate: &'a [u8],
}

/// The result of the negotiation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The fields of the line, for reports.
    pub(crate) announcement: Announcement,
    pub(crate) address: Address,
    /// The certificate that the plugin must prove to own, in DER. Not parsed yet.
    pub(crate) certificate: Vec<u8>,
}

/// The fields of a plugin's handshake line, except its certificate. For reports: nothing is decided
/// by them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announcement {
    /// The version of the handshake itself.
    pub core: u32,
    /// The version of the application's protocol.
    pub version: u32,
    /// The kind of the plugin's listener.
    pub network: Network,
    /// The listener's address, as the plugin wrote it. Show it with [`Escaped`].
    pub address: Vec<u8>,
    /// The call protocol, at most 32 bytes of it, as the plugin wrote it. Show it with [`Escaped`].
    pub protocol: Vec<u8>,
    /// Whether the plugin multiplexes. `None` if it does not say.
    pub multiplexing: Option<bool>,
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, protocol) = (Escaped::new(&self.address), Escaped::new(&self.protocol));
        write!(f, "core {}, version {}, {} {address}, {protocol}", self.core, self.version, self.network)?;
        match self.multiplexing {
            Some(true) => f.write_str(", multiplexed"),
            Some(false) => f.write_str(", not multiplexed"),
            None => Ok(()),
        }
    }
}

/// The address of a plugin's listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Offer<'_> {
    /// Parses the line, without its line feed, and checks it against the offer.
    pub(crate) fn accept(&self, line: &[u8]) -> Result<Agreed, HandshakeError> {
        let line = HandshakeLine::parse(line)?;
        if line.core != HANDSHAKE_VERSION {
            return Err(HandshakeError::Core { plugin: line.core });
        }
        if !self.versions.contains(&line.version) {
            return Err(HandshakeError::Version {
                plugin: line.version,
                host: self.versions.iter().copied().collect(),
            });
        }
        if line.protocol != b"grpc" {
            return Err(HandshakeError::Protocol { protocol: line.protocol });
        }
        let address = self
            .address(&line)
            .map_err(|fault| HandshakeError::Address { fault, address: truncate(&line.address, QUOTED_BYTES) })?;
        let certificate = line
            .certificate
            .unwrap_or(Err(CertificateFault::Missing))
            .and_then(|certificate| match certificate == self.certificate {
                true => Err(CertificateFault::Echoed),
                false => Ok(certificate),
            })
            .map_err(HandshakeError::Certificate)?;
        let announcement = Announcement {
            core: line.core,
            version: line.version,
            network: line.network,
            address: line.address,
            protocol: line.protocol,
            multiplexing: line.multiplexing,
        };
        Ok(Agreed { announcement, address, certificate })
    }

    fn address(&self, line: &HandshakeLine) -> Result<Address, AddressFault> {
        match line.network {
            Network::Unix => self.unix(line.unix_path()),
            Network::Tcp if !self.tcp_loopback => Err(AddressFault::Tcp),
            Network::Tcp => {
                let address = line.socket_address().ok_or(AddressFault::NotLiteral)?;
                // An IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2) is not loopback to this
                // check. No plugin announces one.
                if address.ip().is_loopback() { Ok(Address::Tcp(address)) } else { Err(AddressFault::NotLoopback) }
            }
        }
    }

    fn unix(&self, path: PathBuf) -> Result<Address, AddressFault> {
        let bytes = path.as_os_str().as_encoded_bytes();
        // Directly in it: the plugin could have replaced a directory in between by a symlink.
        let inside = path.strip_prefix(self.directory).is_ok_and(|below| {
            let mut components = below.components();
            matches!((components.next(), components.next()), (Some(Component::Normal(_)), None))
        }) && !bytes.ends_with(b"/");
        if !inside || bytes.contains(&0) {
            return Err(AddressFault::OutsideDirectory);
        }
        if bytes.len() > SOCKET_PATH_BYTES {
            return Err(AddressFault::TooLong);
        }
        Ok(Address::Unix(path))
    }
}

/// The version that a plugin announces: the highest common one, or else its lowest, so that the
/// host can report both sides. `None` if it serves none.
pub(crate) fn choose_version(offered: &str, served: &BTreeSet<u32>) -> Option<u32> {
    let offered: BTreeSet<u32> = offered.split(',').filter_map(|version| number(version.as_bytes())).collect();
    offered.intersection(served).last().or(served.first()).copied()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    use super::*;

    const DIRECTORY: &str = "/tmp/portcullis-x";

    fn accept_with(tcp_loopback: bool, line: &str) -> Result<Agreed, HandshakeError> {
        let offer = Offer {
            versions: &BTreeSet::from([4, 5]),
            directory: Path::new(DIRECTORY),
            tcp_loopback,
            certificate: &[7; 60],
        };
        offer.accept(line.replace("CERT", &STANDARD_NO_PAD.encode([9; 60])).as_bytes())
    }

    fn accept(line: &str) -> Result<Agreed, HandshakeError> {
        accept_with(false, line)
    }

    #[test]
    fn line_within_the_offer_is_accepted() {
        let agreed = accept("1|5|unix|/tmp/portcullis-x/plugin1|grpc|CERT").unwrap();
        assert_eq!(agreed.announcement.to_string(), "core 1, version 5, unix /tmp/portcullis-x/plugin1, grpc");
        assert_eq!(agreed.address, Address::Unix("/tmp/portcullis-x/plugin1".into()));
        assert_eq!(agreed.certificate, [9; 60]);
        let agreed = accept_with(true, "1|4|tcp|[::1]:99|grpc|CERT").unwrap();
        assert_eq!(agreed.address, Address::Tcp("[::1]:99".parse().unwrap()));
    }

    #[test]
    fn version_mismatch_names_both_sides() {
        assert_eq!(accept("2|5|unix|/tmp/portcullis-x/p|grpc|CERT"), Err(HandshakeError::Core { plugin: 2 }));
        let error = accept("1|6|unix|/tmp/portcullis-x/p|grpc|CERT").unwrap_err();
        assert_eq!(error, HandshakeError::Version { plugin: 6, host: vec![4, 5] });
        assert_eq!(
            error.to_string(),
            "the plugin serves version 6 of the application's protocol, this host speaks 4, 5"
        );
    }

    #[test]
    fn only_grpc_is_accepted() {
        for line in ["1|5|unix|/tmp/portcullis-x/p", "1|5|unix|/tmp/portcullis-x/p|netrpc|CERT"] {
            let error = accept(line).unwrap_err();
            assert_eq!(error, HandshakeError::Protocol { protocol: b"netrpc".to_vec() });
            assert!(error.to_string().contains("Go's own encoding"));
        }
        for protocol in ["", "GRPC", "grpc "] {
            let error = accept(&format!("1|5|unix|/tmp/portcullis-x/p|{protocol}|CERT")).unwrap_err();
            assert!(matches!(error, HandshakeError::Protocol { .. }), "{protocol:?}");
        }
    }

    #[test]
    fn unix_socket_must_be_in_private_directory() {
        let long = format!("{DIRECTORY}/{}", "x".repeat(90));
        for (path, fault) in [
            ("", AddressFault::OutsideDirectory),
            ("plugin1", AddressFault::OutsideDirectory),
            ("@abstract", AddressFault::OutsideDirectory),
            ("/run/docker.sock", AddressFault::OutsideDirectory),
            ("/tmp/portcullis-xy/plugin1", AddressFault::OutsideDirectory),
            ("/tmp/portcullis-x", AddressFault::OutsideDirectory),
            ("/tmp/portcullis-x/", AddressFault::OutsideDirectory),
            ("/tmp/portcullis-x/../other/p", AddressFault::OutsideDirectory),
            ("/tmp/portcullis-x/a/../../other/p", AddressFault::OutsideDirectory),
            ("/tmp/portcullis-x/p\0", AddressFault::OutsideDirectory),
            ("/tmp/portcullis-x/a/p", AddressFault::OutsideDirectory),
            ("/tmp/portcullis-x/p/", AddressFault::OutsideDirectory),
            (&long, AddressFault::TooLong),
        ] {
            let error = accept(&format!("1|5|unix|{path}|grpc|CERT")).unwrap_err();
            assert!(
                matches!(&error, HandshakeError::Address { fault: found, .. } if *found == fault),
                "{path:?}: {error:?}"
            );
        }
    }

    #[test]
    fn tcp_needs_the_switch_and_loopback() {
        let fault = |switch, address: &str| match accept_with(switch, &format!("1|5|tcp|{address}|grpc|CERT")) {
            Err(HandshakeError::Address { fault, .. }) => fault,
            other => panic!("{other:?}"),
        };
        assert_eq!(fault(false, "127.0.0.1:1234"), AddressFault::Tcp);
        assert_eq!(fault(true, "localhost:1234"), AddressFault::NotLiteral);
        for address in ["0.0.0.0:1", "192.0.2.1:443", "[::]:1", "[::ffff:127.0.0.1]:1", "[2001:db8::1]:1"] {
            assert_eq!(fault(true, address), AddressFault::NotLoopback, "{address}");
        }
    }

    #[test]
    fn plugin_without_own_certificate_is_refused() {
        let fault = |certificate: &str| match accept(&format!("1|5|unix|/tmp/portcullis-x/p|grpc{certificate}")) {
            Err(HandshakeError::Certificate(fault)) => fault,
            other => panic!("{other:?}"),
        };
        assert_eq!(fault(""), CertificateFault::Missing);
        assert_eq!(fault("|"), CertificateFault::Missing);
        assert_eq!(fault("|short"), CertificateFault::Short { length: 5 });
        assert_eq!(fault(&format!("|{}", STANDARD_NO_PAD.encode([7; 60]))), CertificateFault::Echoed);
    }

    #[test]
    fn highest_common_version_is_chosen() {
        let served = BTreeSet::from([3, 4, 6]);
        for (offered, chosen) in
            [("4,3", 4), ("5,6,4", 6), ("7", 3), ("", 3), ("x,4", 4), ("4, 6", 4), ("+6,4", 4), ("99999999999,6", 6)]
        {
            assert_eq!(choose_version(offered, &served), Some(chosen), "{offered:?}");
        }
        assert_eq!(choose_version("1", &BTreeSet::new()), None);
    }

    #[test]
    fn announcement_is_shown_on_one_line() {
        let announcement = Announcement {
            core: 1,
            version: 2,
            network: Network::Tcp,
            address: b"a\n\x1b[31mb".to_vec(),
            protocol: b"grpc".to_vec(),
            multiplexing: Some(false),
        };
        assert_eq!(announcement.to_string(), r"core 1, version 2, tcp a\n\u{1b}[31mb, grpc, not multiplexed");
    }
}
