//! Manifests: written from the files of a plugin, and compared with them.

mod claims;
mod difference;

pub use claims::{Claims, ManifestError};
pub use difference::Difference;
