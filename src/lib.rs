//! Portcullis
mod escape;
pub mod verify;
pub use escape::Escaped;
