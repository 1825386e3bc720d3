//! Manifests made from the files of a plugin, and compared with them.

mod compare;
mod create;

pub use compare::Difference;
pub use create::{Claims, ManifestError};
