//! A secure plugin runtime: plugins as separate processes, called over gRPC, on the wire of
//! HashiCorp's go-plugin.
//!
//! What it promises: **the bytes that were hashed are the bytes that run; the process that was
//! launched is the process that answers; and nothing that a plugin sends, prints or refuses to do
//! can hurt its host.** What it does not promise: that a verified plugin is a good one. What a
//! plugin may do with its user's rights is not limited here.
//!
//! ```text
//!  verify ──VerifiedPlugin──▶ launch ──Running──▶ handshake ──Agreed──▶ tls ──Pinned──▶ transport ──Channel──▶ rpc ──▶ host::Plugin
//!  digest, manifest,          exec, env,          parse,                identity,       connect,               health,
//!  lock, policy, image        child               negotiate             pin             listen                 controller
//!                                                                                                   plugin::builder is the mirror of the last five
//! ```
//!
//! Each stage takes the proof that the stage before it made, and dropping any of these values kills
//! the plugin and removes its directory.
//!
//! A host ([`host`]):
//!
//! ```no_run
//! # #[cfg(feature = "host")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use portcullis::host::{Environment, Plugin};
//! use portcullis::{Policy, Protocol};
//!
//! let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".parse()?;
//! let policy = Policy::new().allow(digest);
//!
//! let plugin = Plugin::builder(policy.verify("/usr/lib/example/plugins/kv")?)
//!     .with_protocol(Protocol::new("BASIC_PLUGIN", "hello", 1))
//!     .with_environment(Environment::empty())
//!     .launch()
//!     .await?;
//! let channel = plugin.channel(); // for any client that tonic generates
//! # Ok(())
//! # }
//! ```
//!
//! A plugin ([`plugin`]):
//!
//! ```no_run
//! # #[cfg(feature = "plugin")]
//! # mod example {
//! # async fn services() -> Result<tonic::service::Routes, std::io::Error> { Ok(tonic::service::Routes::default()) }
//! fn main() -> std::process::ExitCode {
//!     portcullis::plugin::builder("BASIC_PLUGIN", "hello")
//!         .version(1, services) // async fn services() -> Result<tonic::service::Routes, _>
//!         .serve()
//! }
//! # }
//! ```
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `verify` | with `host`, `sign` | policies, manifests, lock files, sealed images; no asynchronous runtime, no TLS |
//! | `host` | yes | launching plugins and calling them |
//! | `plugin` | yes | being a plugin |
//! | `audit` | yes | a log of what happened that cannot be changed unseen |
//! | `syslog` | no | copies of that log's records to the syslog daemon |
//! | `sign` | no | keys and signatures for those who publish plugins |
//! | `reflection` | no | asking a plugin which services it has |
//!
//! Linux only, from 5.11 on; what newer kernels add is used where it is there, and the launch
//! report says what was.

// Host and plugin share the stages between them, and each uses its own half.
#![cfg_attr(not(all(feature = "host", feature = "plugin")), allow(dead_code, unreachable_pub, unused_imports))]

#[cfg(not(target_os = "linux"))]
compile_error!("portcullis proves what it promises with system calls that only Linux has");

mod digest;
mod environment;
#[cfg(feature = "host")]
mod error;
mod escape;
#[cfg(feature = "_runtime")]
mod handshake;
#[cfg(feature = "_runtime")]
mod launch;
mod limits;
#[cfg(feature = "host")]
mod protocol;
#[cfg(feature = "_runtime")]
mod rpc;
#[expect(unsafe_code, reason = "system calls that no safe wrapper offers")]
mod sys;
mod timing;
#[cfg(feature = "_runtime")]
mod tls;
#[cfg(feature = "_runtime")]
mod transport;
mod worker;

// The public interface is:
#[cfg(feature = "audit")]
pub mod audit;
#[cfg(feature = "verify")]
pub mod authoring;
pub mod event;
#[cfg(feature = "verify")]
pub mod exec;
pub mod fs;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "verify")]
pub mod inspect;
#[cfg(feature = "verify")]
pub mod machine;
#[cfg(feature = "plugin")]
pub mod plugin;
#[cfg(feature = "verify")]
pub mod verify;

pub use digest::{Digest, DigestError};
#[cfg(feature = "host")]
pub use error::Error;
pub use escape::{Chain, Escaped};
#[cfg(feature = "host")]
pub use protocol::Protocol;
#[cfg(feature = "verify")]
pub use verify::Policy;

/// The largest gRPC message in bytes that we recommend to take: 64 MiB.
///
/// tonic keeps this limit in the generated clients and servers, at 4 MiB unless it is set with
/// their `max_decoding_message_size`.
pub const MESSAGE_LIMIT: usize = 64 * 1024 * 1024;
