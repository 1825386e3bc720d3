//! What the host has put into the environment, read once and checked. Everything in it is the
//! host's word, and bounded by the kernel.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::ServeError;
use crate::handshake::choose;
use crate::tls::Pin;

/// The host's side of the agreement.
#[derive(Debug)]
pub(super) struct Launched {
    /// The version of the application's protocol to serve.
    pub(super) version: u32,
    /// The host's certificate; `None` if the host speaks plain text.
    pub(super) host: Option<Pin>,
    /// Where the host wants the socket to lie.
    pub(super) directory: Option<PathBuf>,
    /// Whether the host asked about multiplexing, and expects an answer.
    pub(super) asked_multiplexing: bool,
}

impl Launched {
    /// Reads the environment through `variable`.
    pub(super) fn read(
        variable: impl Fn(&str) -> Option<OsString>,
        served: &BTreeSet<u32>,
        allow_plaintext: bool,
    ) -> Result<Self, ServeError> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let offered = set("PLUGIN_PROTOCOL_VERSIONS").unwrap_or_default();
        let version = choose(&offered.to_string_lossy(), served)
            .ok_or(ServeError::Misconfigured { what: "version of its protocol" })?;
        // Set and empty is not the same as not set: a host that sends an empty certificate did not
        // mean plain text.
        let host = match variable("PLUGIN_CLIENT_CERT") {
            Some(pem) => Some(Pin::from_pem(pem.as_bytes()).map_err(ServeError::HostCertificate)?),
            None if allow_plaintext => None,
            None => return Err(ServeError::NoHostCertificate),
        };
        Ok(Self {
            version,
            host,
            directory: set("PLUGIN_UNIX_SOCKET_DIR").map(PathBuf::from),
            asked_multiplexing: set("PLUGIN_MULTIPLEX_GRPC").is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Identity;

    fn read(variables: &[(&str, &str)], allow_plaintext: bool) -> Result<Launched, ServeError> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        Launched::read(variable, &BTreeSet::from([1, 2]), allow_plaintext)
    }

    #[test]
    fn the_certificate_is_required_unless_plain_text_is_allowed() {
        assert!(matches!(read(&[], false), Err(ServeError::NoHostCertificate)));
        assert!(read(&[], true).unwrap().host.is_none());
        for allow_plaintext in [false, true] {
            for damaged in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
                let result = read(&[("PLUGIN_CLIENT_CERT", damaged)], allow_plaintext);
                assert!(matches!(result, Err(ServeError::HostCertificate(_))), "{damaged:?}");
            }
        }
    }

    #[test]
    fn everything_the_host_says_is_taken() {
        let identity = Identity::generate().unwrap();
        let launched = read(
            &[
                ("PLUGIN_CLIENT_CERT", &identity.certificate_pem()),
                ("PLUGIN_PROTOCOL_VERSIONS", "3,2,1"),
                ("PLUGIN_UNIX_SOCKET_DIR", "/run/x"),
                ("PLUGIN_MULTIPLEX_GRPC", "false"),
            ],
            false,
        )
        .unwrap();
        assert_eq!(launched.version, 2);
        assert_eq!(launched.host.unwrap().fingerprint(), crate::verify::Digest::of(identity.certificate()));
        assert_eq!(launched.directory, Some("/run/x".into()));
        assert!(launched.asked_multiplexing);
    }

    #[test]
    fn without_a_common_version_the_lowest_is_served() {
        let served = |offered| read(&[("PLUGIN_PROTOCOL_VERSIONS", offered)], true).unwrap().version;
        assert_eq!([served("7"), served(""), served("2")], [1, 1, 2]);
        let none = Launched::read(|_| None, &BTreeSet::new(), true);
        assert!(matches!(none, Err(ServeError::Misconfigured { .. })));
    }
}
