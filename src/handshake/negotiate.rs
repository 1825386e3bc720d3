//! From a line that is well formed to what host and plugin agree on, or to the reason why they do
//! not. Decides; connects to nothing.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};

use super::Announcement;
use super::error::{AddressFault, CertificateFault, HandshakeError, cut};
use super::line::{HandshakeLine, Network, number};

/// The only version of the handshake that there is.
pub(crate) const CORE: u32 = 1;

/// What the host is willing to agree to.
#[derive(Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) versions: &'a BTreeSet<u32>,
    /// Where a Unix socket must lie.
    pub(crate) directory: &'a Path,
    pub(crate) tcp_loopback: bool,
    /// The host's own certificate, which is nobody else's.
    pub(crate) certificate: &'a [u8],
}

/// What host and plugin agreed on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The line's own words, for people.
    pub(crate) announcement: Announcement,
    pub(crate) address: Address,
    /// The DER of the certificate that the plugin must prove to own. Not looked into yet.
    pub(crate) certificate: Vec<u8>,
}

/// Where a plugin listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Offer<'_> {
    /// Parses the line (without its line feed) and holds it against the offer.
    pub(crate) fn accept(&self, line: &[u8]) -> Result<Agreed, HandshakeError> {
        let line = HandshakeLine::parse(line)?;
        if line.core != CORE {
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
        let address =
            self.address(&line).map_err(|fault| HandshakeError::Address { fault, address: cut(&line.address, 200) })?;
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
                // An IPv4 address in IPv6 clothes is not loopback to this test, and need not be.
                if address.ip().is_loopback() { Ok(Address::Tcp(address)) } else { Err(AddressFault::NotLoopback) }
            }
        }
    }

    fn unix(&self, path: PathBuf) -> Result<Address, AddressFault> {
        let bytes = path.as_os_str().as_encoded_bytes();
        // Directly in it, so that there is no directory on the way which the plugin could have made
        // a link.
        let inside = path.strip_prefix(self.directory).is_ok_and(|below| {
            let mut components = below.components();
            matches!((components.next(), components.next()), (Some(Component::Normal(_)), None))
        }) && !bytes.ends_with(b"/");
        if !inside || bytes.contains(&0) {
            return Err(AddressFault::OutsideDirectory);
        }
        // sun_path holds 108 bytes with the NUL (unix(7)).
        if bytes.len() > 107 {
            return Err(AddressFault::TooLong);
        }
        Ok(Address::Unix(path))
    }
}

/// The version that a plugin answers with: the highest that both sides have; else the lowest of its
/// own, so that the host can say what does not match. `None` if it serves none.
pub(crate) fn choose(offered: &str, served: &BTreeSet<u32>) -> Option<u32> {
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
            assert_eq!(choose(offered, &served), Some(chosen), "{offered:?}");
        }
        assert_eq!(choose("1", &BTreeSet::new()), None);
    }
}
