//! The report of a launch: the checks it made and the restrictions it enforced, for logs and
//! people. Holds no secret.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::Timings;
use crate::Escaped;
use crate::event::LaunchId;
use crate::handshake::Announcement;
use crate::launch::{Hardening, PeerCheck};
use crate::tls::KeyAlgorithm;
use crate::verify::{Attestation, Digest, ExecMode};

/// The facts about a launched plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LaunchReport {
    /// The launch in its events, if it is recorded.
    pub launch: Option<LaunchId>,
    /// The plugin's process.
    pub pid: u32,
    /// The SHA-256 of the bytes that run: for a plugin that an interpreter runs, those of the
    /// interpreter.
    pub digest: Digest,
    /// The SHA-256 of the manifest that names every file of the plugin, if the plugin is a
    /// directory.
    pub manifest: Option<Digest>,
    /// Who said that the plugin may run: at least one, and every one that the policy requires.
    pub attestations: Vec<Attestation>,
    /// How they were kept unchanged from the check to the execution.
    pub mode: ExecMode,
    /// Whether they came from the cache, so that the program was neither read nor hashed for this
    /// launch.
    pub cached: bool,
    /// The version of the application's protocol that the two agreed on.
    pub version: u32,
    /// The handshake line as the plugin wrote it.
    pub handshake: Announcement,
    /// How it was established that the launched process is the one that answers.
    pub peer_check: PeerCheck,
    /// The version of TLS on the connection: `TLS 1.3`.
    pub tls_version: String,
    /// The cipher suite.
    pub cipher_suite: String,
    /// The protocol inside, as ALPN names it: `h2`.
    pub alpn: String,
    /// The SHA-256 of the host's certificate, made for this launch.
    pub host_certificate: Digest,
    /// The SHA-256 of the plugin's certificate, pinned for this launch.
    pub plugin_certificate: Digest,
    /// The kind of the plugin's key.
    pub plugin_key: KeyAlgorithm,
    /// The names of the variables in the plugin's environment. Never their values.
    pub environment: Vec<OsString>,
    /// The restrictions on the plugin's process.
    pub hardening: Vec<Hardening>,
    /// How long the steps of the start took.
    pub timings: Timings,
}

impl fmt::Display for LaunchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(launch) = self.launch {
            writeln!(f, "launch       {launch}")?;
        }
        writeln!(f, "process      {}", self.pid)?;
        writeln!(f, "digest       sha256 {}", self.digest)?;
        if let Some(manifest) = self.manifest {
            writeln!(f, "manifest     sha256 {manifest}")?;
        }
        for attestation in &self.attestations {
            writeln!(f, "accepted     by {attestation}")?;
        }
        let source = if self.cached { "from the cache" } else { "read and hashed" };
        writeln!(f, "image        {}, {source}", self.mode)?;
        writeln!(f, "version      {}", self.version)?;
        writeln!(f, "handshake    {}", self.handshake)?;
        writeln!(f, "peer         checked by {}", self.peer_check)?;
        writeln!(f, "connection   {}, {}, {}", self.tls_version, self.cipher_suite, self.alpn)?;
        writeln!(f, "certificates host   sha256 {}", self.host_certificate)?;
        writeln!(f, "             plugin sha256 {}, {}", self.plugin_certificate, self.plugin_key)?;
        let names: Vec<_> = self.environment.iter().map(|name| Escaped::new(name.as_bytes()).to_string()).collect();
        writeln!(f, "environment  {}", names.join(", "))?;
        let hardening: Vec<_> = self.hardening.iter().map(Hardening::to_string).collect();
        writeln!(f, "enforced     {}", hardening.join(", "))?;
        write!(f, "start        {}", self.timings)
    }
}
