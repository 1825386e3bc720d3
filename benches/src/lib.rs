//! What the benchmark's programs share: the service and its calls, their arguments and output, the
//! cookie, plain TLS, and plugins of a given size.
#![forbid(unsafe_code)]
#![allow(clippy::exhaustive_enums, clippy::exhaustive_structs, reason = "used by this package alone")]

pub mod arguments;
pub mod calls;
mod generated;
pub mod large;
pub mod report;
pub mod service;
pub mod tls;

pub use generated::bench as proto;

/// The environment variable that a launched plugin requires.
pub const COOKIE_KEY: &str = "PORTCULLIS_BENCH";

/// The value of that variable.
pub const COOKIE_VALUE: &str = "measured";

/// The version of the service.
pub const VERSION: u32 = 1;

/// Makes the plugin print one line and exit: measures the bare start of a process.
pub const FIRST_LINE: &str = "--first-line";
