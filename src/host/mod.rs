//! Stage 7, the host's side: from a [`VerifiedPlugin`](crate::verify::VerifiedPlugin) to a
//! [`Plugin`] that answers.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use portcullis::host::{Environment, Plugin};
//! use portcullis::{Policy, Protocol};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = Policy::new().allow("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".parse()?);
//! let verified = policy.verify("/usr/lib/example/plugins/kv")?;
//!
//! let plugin = Plugin::builder(verified)
//!     .with_protocol(Protocol::new("BASIC_PLUGIN", "hello", 1))
//!     .with_environment(Environment::empty().inherit("LANG")?)
//!     .launch()
//!     .await?;
//!
//! let channel = plugin.channel(); // for any client that tonic generates
//! # drop(channel);
//! plugin.shutdown(Duration::from_secs(2)).await;
//! # Ok(())
//! # }
//! ```
//!
//! With a recorder, such as an audit log, every decision, launch and call is recorded before it
//! happens, or does not happen:
//!
//! ```no_run
//! # #[cfg(feature = "audit")]
//! # async fn run(policy: portcullis::Policy) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use portcullis::Protocol;
//! use portcullis::audit::{Log, LogKey};
//! use portcullis::host::{self, Environment, Plugin};
//!
//! let log = Log::builder("/var/lib/example/audit.log", LogKey::read("/etc/example/audit.key")?).open()?;
//! let verified = host::verify(&policy, "/usr/lib/example/plugins/kv", &log)?;
//! let plugin = Plugin::builder(verified)
//!     .with_protocol(Protocol::new("BASIC_PLUGIN", "hello", 1))
//!     .with_environment(Environment::empty())
//!     .with_recorder(Arc::new(log))
//!     .launch()
//!     .await?;
//! let channel = plugin.channel(); // whose calls are recorded
//! # Ok(())
//! # }
//! ```
//!
//! Only a verified plugin can be launched:
//!
//! ```compile_fail,E0308
//! use portcullis::host::Plugin;
//! let builder = Plugin::builder("/usr/lib/example/plugins/kv");
//! ```
//!
//! and the environment of the plugin must be given:
//!
//! ```compile_fail,E0599
//! # fn run(verified: portcullis::verify::VerifiedPlugin) {
//! use portcullis::Protocol;
//! use portcullis::host::Plugin;
//! let launch = Plugin::builder(verified).with_protocol(Protocol::new("BASIC_PLUGIN", "hello", 1)).launch();
//! # }
//! ```
#![forbid(unsafe_code)]

mod builder;
mod calls;
mod channel;
mod output;
mod parameters;
mod plugin;
mod process;
mod recording;
mod report;
#[cfg(feature = "reflection")]
mod services;
mod start;
mod timings;

pub use builder::{LaunchBuilder, WantsEnvironment, WantsProtocol};
pub use calls::{Arguments, ArgumentsError, CallLayer, RecordedCalls};
pub use channel::{Channel, ResponseFuture};
pub use parameters::LaunchParameters;
pub use plugin::{Plugin, Shutdown, ShutdownPath};
pub use recording::{verify, verify_as};
pub use report::LaunchReport;
#[cfg(feature = "reflection")]
pub use services::{Services, WireService};
pub use timings::Timings;

pub use crate::error::{StartError, StartFault, StartPhase};
pub use crate::handshake::{AddressFault, Announcement, CertificateFault, HandshakeError, LineFault, Network};
pub use crate::launch::{
    Environment, EnvironmentError, EnvironmentFault, Exit, Hardening, LaunchError, PeerCheck, Step,
};
pub use crate::rpc::RpcError;
#[cfg(feature = "reflection")]
pub use crate::rpc::{ReflectionVersion, ServicePresence, ServicesError};
pub use crate::tls::{KeyAlgorithm, TlsError};
pub use crate::transport::TransportError;
