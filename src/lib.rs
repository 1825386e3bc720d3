//! Portcullis
mod escape;
#[cfg(feature = "_runtime")]
mod launch;
#[cfg(feature = "_runtime")]
mod tls;
#[cfg(feature = "_runtime")]
mod handshake;
pub mod verify;
/// Host
#[cfg(feature = "host")]
pub mod host {
    pub use crate::launch::{Environment, EnvironmentError, EnvironmentFault};
}
pub use escape::Escaped;
