//! Shared by the command line programs of this repository: exit codes, the two output streams, the
//! JSON document of a run, problems with their hints, and usage errors. Knows no verb of any of
//! them.
//!
//! ```
//! use cli_support::{Exit, Output};
//!
//! const OUTPUT: Output = Output::of("plugin-verify");
//!
//! let exit = OUTPUT.print("ls: OK\n", Exit::Success);
//! assert_eq!(exit, Exit::Success);
//! ```
#![forbid(unsafe_code)]

mod exit;
mod output;
mod problem;
#[cfg(feature = "signals")]
mod signals;
mod usage;

// The public interface is:
pub use exit::Exit;
pub use output::{Body, Output, OutputFormat};
pub use problem::Problem;
#[cfg(feature = "signals")]
pub use signals::Signals;
pub use usage::UsageError;
