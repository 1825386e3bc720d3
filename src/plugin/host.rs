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

/// The settings that the host passed in the environment, checked.
#[derive(Debug)]
pub(super) struct HostSettings {
    /// The version of the application's protocol that the plugin serves.
    pub(super) version: u32,
    /// The host's certificate. `None` if the host speaks plaintext.
    pub(super) host: Option<Pin>,
    /// The directory for the plugin's socket. `None` if the plugin may choose one.
    pub(super) directory: Option<PathBuf>,
    /// Whether the host expects the field about multiplexing in the handshake line.
    pub(super) asks_multiplexing: bool,
}

impl HostSettings {
    /// Reads the variables of the protocol with `variable`.
    pub(super) fn read(
        variable: impl Fn(&str) -> Option<OsString>,
        served: &BTreeSet<u32>,
        allow_plaintext: bool,
    ) -> Result<Self, ServeError> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let offered = set("PLUGIN_PROTOCOL_VERSIONS").unwrap_or_default();
        let version = choose_version(&offered.to_string_lossy(), served)
            .ok_or(ServeError::Misconfigured { what: "version of its protocol" })?;
        // An empty variable is an error, not plaintext: the host meant to send a certificate.
        let host = match variable("PLUGIN_CLIENT_CERT") {
            Some(pem) => Some(Pin::from_pem(pem.as_bytes()).map_err(ServeError::HostCertificate)?),
            None if allow_plaintext => None,
            None => return Err(ServeError::NoHostCertificate),
        };
        Ok(Self {
            version,
            host,
            directory: set("PLUGIN_UNIX_SOCKET_DIR").map(PathBuf::from),
            asks_multiplexing: set("PLUGIN_MULTIPLEX_GRPC").is_some(),
        })
    }
}

/// The process that launched this one.
#[derive(Debug)]
pub(super) struct HostProcess {
    pid: Option<u32>,
    /// Readable when the host has ended (pidfd_open(2)).
    end: Option<AsyncFd<Arc<OwnedFd>>>,
}

impl HostProcess {
    /// Opens a pidfd of `parent`, the parent of this process when it started. Call it within a
    /// runtime.
    pub(super) fn open(parent: Option<Pid>) -> io::Result<Self> {
        // A parent in another pid namespace has no number here (pid_namespaces(7)), and cannot be
        // watched.
        let Some(parent) = parent else { return Ok(Self { pid: None, end: None }) };
        let pidfd = rustix::process::pidfd_open(parent, PidfdFlags::empty())?;
        // If it had died before the line above, another process could have its number. This process
        // would have another parent then.
        if rustix::process::getppid() != Some(parent) {
            return Err(io::Error::other("the host has ended"));
        }
        let pid = parent.as_raw_nonzero().get().unsigned_abs();
        Ok(Self { pid: Some(pid), end: Some(sys::watch(Arc::new(pidfd), Interest::READABLE)?) })
    }

    /// Its process number.
    pub(super) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Waits until the host has ended.
    pub(super) async fn ended(&self) {
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
        assert!(settings.asks_multiplexing);
    }

    #[test]
    fn lowest_version_is_served_without_common_one() {
        let served = |offered| read(&[("PLUGIN_PROTOCOL_VERSIONS", offered)], true).unwrap().version;
        assert_eq!([served("7"), served(""), served("2")], [1, 1, 2]);
        let none = HostSettings::read(|_| None, &BTreeSet::new(), true);
        assert!(matches!(none, Err(ServeError::Misconfigured { .. })));
    }
}
