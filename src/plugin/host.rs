//! The host as the plugin sees it: the settings that it left in the environment, and its process,
//! whose end is the plugin's end too.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::process::{Pid, PidfdFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::ServeError;
use crate::handshake::choose_version;
use crate::sys;
use crate::tls::Pin;

/// The host's side of the agreement.
#[derive(Debug)]
pub(super) struct HostSettings {
    /// The version of the application's protocol to serve.
    pub(super) version: u32,
    /// The host's certificate; `None` if the host speaks plain text.
    pub(super) host: Option<Pin>,
    /// Where the host wants the socket to lie.
    pub(super) directory: Option<PathBuf>,
    /// Whether the host asked about multiplexing, and expects an answer.
    pub(super) asked_multiplexing: bool,
}

impl HostSettings {
    /// Reads the environment through `variable`.
    pub(super) fn read(
        variable: impl Fn(&str) -> Option<OsString>,
        served: &BTreeSet<u32>,
        allow_plaintext: bool,
    ) -> Result<Self, ServeError> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let offered = set("PLUGIN_PROTOCOL_VERSIONS").unwrap_or_default();
        let version = choose_version(&offered.to_string_lossy(), served)
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

/// The process that launched this one.
#[derive(Debug)]
pub(super) struct HostProcess {
    pid: Option<u32>,
    end: Option<AsyncFd<Arc<OwnedFd>>>,
}

impl HostProcess {
    /// Takes hold of `parent`, the parent at the time when the plugin started. To be called within
    /// a runtime.
    pub(super) fn hold(parent: Option<Pid>) -> io::Result<Self> {
        // A parent outside this pid namespace has no number here and cannot be watched.
        let Some(parent) = parent else { return Ok(Self { pid: None, end: None }) };
        let pidfd = rustix::process::pidfd_open(parent, PidfdFlags::empty())?;
        // Had it died before the line above, the number could be somebody else's. Then the parent
        // is another one by now.
        if rustix::process::getppid() != Some(parent) {
            return Err(io::Error::other("the host is gone already"));
        }
        let pid = parent.as_raw_nonzero().get().unsigned_abs();
        Ok(Self { pid: Some(pid), end: Some(sys::watch(Arc::new(pidfd), Interest::READABLE)?) })
    }

    /// Its number.
    pub(super) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Waits until the host is gone.
    pub(super) async fn gone(&self) {
        if let Some(pidfd) = &self.end
            && pidfd.readable().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Identity;

    fn read(variables: &[(&str, &str)], allow_plaintext: bool) -> Result<HostSettings, ServeError> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        HostSettings::read(variable, &BTreeSet::from([1, 2]), allow_plaintext)
    }

    #[test]
    fn certificate_is_required_unless_plaintext_is_allowed() {
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
    fn host_settings_are_read() {
        let identity = Identity::generate().unwrap();
        let settings = read(
            &[
                ("PLUGIN_CLIENT_CERT", &identity.certificate_pem()),
                ("PLUGIN_PROTOCOL_VERSIONS", "3,2,1"),
                ("PLUGIN_UNIX_SOCKET_DIR", "/run/x"),
                ("PLUGIN_MULTIPLEX_GRPC", "false"),
            ],
            false,
        )
        .unwrap();
        assert_eq!(settings.version, 2);
        assert_eq!(settings.host.unwrap().fingerprint(), crate::Digest::of(identity.certificate()));
        assert_eq!(settings.directory, Some("/run/x".into()));
        assert!(settings.asked_multiplexing);
    }

    #[test]
    fn lowest_version_is_served_without_common_one() {
        let served = |offered| read(&[("PLUGIN_PROTOCOL_VERSIONS", offered)], true).unwrap().version;
        assert_eq!([served("7"), served(""), served("2")], [1, 1, 2]);
        let none = HostSettings::read(|_| None, &BTreeSet::new(), true);
        assert!(matches!(none, Err(ServeError::Misconfigured { .. })));
    }
}
