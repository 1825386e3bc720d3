//! The handshake line in the plugin's own words, kept for people. What was agreed on follows from
//! it; nothing is decided by it.

use std::fmt;

use super::Network;
use crate::Escaped;

/// What a plugin said in its handshake line, besides its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announcement {
    /// The version of the handshake itself.
    pub core: u32,
    /// The version of the application's protocol.
    pub version: u32,
    /// What it listens on.
    pub network: Network,
    /// Where. Foreign text: show it with [`Escaped`].
    pub address: Vec<u8>,
    /// What it speaks there, cut after 32 bytes. Foreign text.
    pub protocol: Vec<u8>,
    /// Whether it multiplexes. `None` if it does not say.
    pub multiplexing: Option<bool>,
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, protocol) = (Escaped::new(&self.address), Escaped::new(&self.protocol));
        write!(f, "core {}, version {}, {} {address}, {protocol}", self.core, self.version, self.network)?;
        match self.multiplexing {
            Some(true) => f.write_str(", multiplexed"),
            Some(false) => f.write_str(", not multiplexed"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcement_is_shown_on_one_line() {
        let announcement = Announcement {
            core: 1,
            version: 2,
            network: Network::Tcp,
            address: b"a\n\x1b[31mb".to_vec(),
            protocol: b"grpc".to_vec(),
            multiplexing: Some(false),
        };
        assert_eq!(announcement.to_string(), r"core 1, version 2, tcp a\n\u{1b}[31mb, grpc, not multiplexed");
    }
}
