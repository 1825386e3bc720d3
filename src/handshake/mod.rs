//! Stage 3: the one line of text on which host and plugin agree. Sans I/O: bytes in, values out.
//!
//! A plugin that is ready to be called writes one line to its standard output:
//!
//! ```text
//! 1|4|unix|/tmp/portcullis-x1/plugin.sock|grpc|MIIBszCCAVmgAwIBAgIQ…
//! ```
//!
//! The fields are the version of this protocol (always 1), the application's version, network and
//! address of the plugin's listener, the call protocol, and the plugin's certificate (DER in the
//! standard base64 alphabet, without padding). A seventh field says whether the plugin multiplexes;
//! it is written only for a host that asked. The line ends with a line feed and is shorter than 64
//! KiB.
//!
//! The parser is stricter than go-plugin's where leniency serves nobody: numbers are plain decimal
//! digits, fields have no blanks around them, only the first line counts and it must be complete.
#![forbid(unsafe_code)]

mod announcement;
mod error;
mod line;
mod negotiate;
mod read;

pub use announcement::Announcement;
pub use error::{AddressFault, CertificateFault, HandshakeError, LineFault};
pub use line::Network;

pub(crate) use line::HandshakeLine;
pub(crate) use negotiate::{Address, Agreed, CORE, Offer, choose};
pub(crate) use read::LineReader;
