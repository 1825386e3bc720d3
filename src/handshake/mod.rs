//! Stage 3: the line of text with which a plugin tells its host where and how it listens. Sans I/O:
//! bytes in, values out.
//!
//! A plugin that is ready for calls writes one line to its standard output:
//!
//! ```text
//! 1|4|unix|/tmp/portcullis-x1/plugin.sock|grpc|MIIBszCCAVmgAwIBAgIQ…
//! ```
//!
//! | field | meaning |
//! |---|---|
//! | 1 | version of the handshake, always 1 |
//! | 2 | version of the application's protocol |
//! | 3, 4 | network and address of the plugin's listener |
//! | 5 | call protocol: `grpc` |
//! | 6 | the plugin's certificate, DER in standard base64 without padding |
//! | 7 | whether the plugin multiplexes; only for a host that asked |
//!
//! The line ends with a line feed and has at most 64 KiB. The parser is stricter than go-plugin's
//! where no plugin needs the leniency: numbers are plain decimal digits, fields have no blanks
//! around them, and only a complete first line counts.
#![forbid(unsafe_code)]

mod error;
mod line;
mod negotiate;

pub use error::{AddressFault, CertificateFault, HandshakeError, LineFault};
pub use line::Network;
pub use negotiate::Announcement;

pub(crate) use line::{HandshakeLine, LineReader};
pub(crate) use negotiate::{Address, Agreed, HANDSHAKE_VERSION, Offer, choose_version};
