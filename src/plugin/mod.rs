//! Stage 8, the plugin's side: serves tonic services to the host that launched the program.
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
//! A plugin reads the host's certificate from its environment, generates its own, listens on
//! a private socket, writes the handshake line, and admits only the owner of the host's
//! certificate. It exits when the host asks it to, on SIGTERM, and when the host has ended.
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
