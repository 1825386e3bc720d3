//! Certificates for manual TLS between hosts and plugins, for debugging and for tests. Not part of
//! the runtime, which creates a certificate for each launch and never reads one from a file.
//!
//! Roles are types. A [`Ca`] gets no extended key usages; an [`Identity`] needs a [`Ca`]; a
//! [`HostIdentity`] may only open connections (`clientAuth`) and a [`PluginIdentity`] may only
//! accept them (`serverAuth`).
//!
//! ```
//! use certs_tooling::{Ca, HostIdentity, KeyAlgorithm, Lifetime, PluginIdentity, Request};
//!
//! let ca = Ca::new(&"Example CA".parse()?, Lifetime::days(365)?, KeyAlgorithm::P256)?;
//! let host = HostIdentity::issue(&Request::new("build host".parse()?, "localhost".parse()?), &ca)?;
//! let plugin = PluginIdentity::issue(&Request::new("kv".parse()?, "localhost".parse()?), &ca)?;
//! assert_ne!(host.certificate().fingerprint(), plugin.certificate().fingerprint());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`AutoMtls`] is the key and certificate of one launch, to debug a launch by hand. [`Inspection`]
//! describes any certificate.
#![forbid(unsafe_code)]

mod auto_mtls;
mod ca;
mod certificate;
mod files;
mod go_plugin;
mod identity;
mod inspect;
mod issue;
mod key;
mod name;
mod source;
mod validity;

// The public interface is:
pub use auto_mtls::{AutoMtls, Profile, ProfileError};
pub use ca::{Ca, CaError};
pub use certificate::Certificate;
pub use files::{FileError, Written};
pub use identity::{Host, HostIdentity, Identity, Plugin, PluginIdentity, Request, Role};
pub use inspect::{Authority, InspectError, Inspection, Key, Remark, SelfSigned};
pub use issue::IssueError;
pub use key::{KeyAlgorithm, KeyAlgorithmError, KeyError, PrivateKey};
pub use name::{AlternativeName, CommonName, DnsName, NameError};
pub use source::{CERTIFICATE_LIMIT, FILE_LIMIT, SourceError, parse, read};
pub use validity::{Lifetime, LifetimeError};
