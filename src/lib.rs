//! A secure plugin runtime. Plugins are separate processes, called over gRPC, with the wire
//! protocol of HashiCorp's go-plugin.
//!
//! Three promises: **the bytes that were hashed are the bytes that run; the process that was
//! launched is the process that answers; and nothing that a plugin sends, prints or refuses to do
//! can harm its host.** No promise: that a verified plugin is harmless. This crate does not limit
//! what a plugin does with the rights of its user.
//!
//! ```text
//!  verify ──VerifiedPlugin──▶ launch ──Running──▶ handshake ──Agreed──▶ tls ──Pin──▶ transport ──Http2Channel──▶ rpc ──▶ host::Plugin
//!  digest, manifest,          spawn, env,         parse,                identity,    connect,                    health,
//!  lock, policy, image        child               negotiate             pin          listen                      controller
//! ```
//!
//! Each stage takes values that prove the stages before it. From `Running` on, one value owns the
//! process and its private directory: dropping it kills the plugin and removes the directory.
//! [`plugin`] is the other end of the handshake and of the stages after it.
//!
//! | module | job |
//! |---|---|
//! | [`verify`] | may these bytes run? digests, policies, manifests, lock files, sealed images |
//! | [`host`] | launches plugins and calls them |
//! | [`plugin`] | serves as a plugin |
//! | [`event`], [`audit`] | events as values; the tamper-evident log that records them |
//! | [`authoring`] | writes the files of publishers and operators: manifests, lock files, signatures |
//! | [`inspect`] | describes a file without running it |
//! | [`fs`] | opens regular files, writes durable files, says who may change a path |
//! | [`exec`] | replaces this process by a verified program |
//! | [`machine`] | which guarantees this machine gives |
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
//! | feature | default | adds |
//! |---|---|---|
//! | `verify` | with `host`, `sign` | policies, manifests, lock files, sealed images; no asynchronous runtime, no TLS |
//! | `host` | yes | launches plugins and calls them |
//! | `plugin` | yes | serves as a plugin |
//! | `audit` | yes | a tamper-evident log of events |
//! | `syslog` | no | sends copies of that log's records to the syslog daemon |
//! | `sign` | no | generates keys and signatures, for publishers of plugins |
//! | `reflection` | no | lists the services of a plugin |
//!
//! Linux 5.11 and later. The launch report says which features of newer kernels were used.

// Host, plugin and log share modules. Without one of the three features, the parts of those modules
// that only it uses are unused.
#![cfg_attr(
    not(all(feature = "audit", feature = "host", feature = "plugin")),
    allow(dead_code, unreachable_pub, unused_imports)
)]

#[cfg(not(target_os = "linux"))]
compile_error!("portcullis needs system calls that only Linux has");

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

/// The recommended limit for received gRPC messages, in bytes: 64 MiB.
///
/// tonic's generated clients and servers enforce a limit of 4 MiB unless their
/// `max_decoding_message_size` sets another.
pub const MESSAGE_LIMIT: usize = limits::rpc::MESSAGE_BYTES;
