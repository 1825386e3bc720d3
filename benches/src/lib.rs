//! What the programs and the benchmarks share: the service, the cookie, plain TLS, and plugins of a
//! given size. Measures nothing.
#![forbid(unsafe_code)]

mod generated;
pub mod large;
pub mod tls;

pub use generated::bench as proto;

/// The variable that a launched plugin finds in its environment.
pub const COOKIE_KEY: &str = "PORTCULLIS_BENCH";

/// Its value.
pub const COOKIE_VALUE: &str = "measured";

/// The version of the service.
pub const VERSION: u32 = 1;

/// The argument on which the plugin prints one line and exits: what a start costs that does nothing
/// else.
pub const FIRST_LINE: &str = "--first-line";
