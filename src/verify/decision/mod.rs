//! May these bytes run? A [`Policy`] examines a plugin, collects what its sources say, and answers
//! with a [`Decision`]. Reads files; executes nothing.

mod attestation;
mod bundled;
pub(crate) mod error;
mod examine;
pub(crate) mod explanation;
mod findings;
mod linkage;
mod plugin;
mod policy;
pub(crate) mod refusal;

pub use attestation::{Attestation, MissingAttestation, SourceKind, SourceKindError};
pub use findings::{Decision, Finding};
pub use linkage::{LinkageFault, LinkageRule};
pub use plugin::VerifiedPlugin;
use policy::ImageStorage;
pub use policy::{Policy, PolicyFault};

#[cfg(test)]
mod tests;
