//! Stage 8, the plugin's side: a program that serves a tonic service to the host that launched it.
//!
//! ```no_run
//! # mod greeter {
//! #     pub struct Greeter;
//! #     pub fn routes() -> Result<tonic::service::Routes, std::convert::Infallible> { Ok(tonic::service::Routes::default()) }
//! # }
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     portcullis::plugin::builder("BASIC_PLUGIN", "hello")
//!         .version(1, || async { greeter::routes() }) // Routes::new(GreeterServer::new(Greeter))
//!         .serve()
//! }
//! ```
//!
//! A plugin takes the host's certificate from the environment, makes one of its own, listens on a
//! private socket, tells the host where, and lets in nobody but the owner of that certificate. It
//! exits when the host asks it to, when it is told to terminate, and when the host is gone.
#![forbid(unsafe_code)]

mod builder;
mod error;
mod host;
mod serve;

pub use builder::{ServeBuilder, builder};
pub use error::ServeError;

pub use crate::handshake::CertificateFault;
pub use crate::launch::LaunchError;
pub use crate::tls::TlsError;
