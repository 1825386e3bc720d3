//! May these bytes run? A [`Policy`] examines a plugin, collects what its sources say, and answers
//! with a [`Decision`]. Reads files; executes nothing.

mod bundled;
mod decision;
pub(crate) mod error;
mod examine;
pub(crate) mod explanation;
mod linkage;
mod plugin;
mod policy;
pub(crate) mod refusal;
mod testimony;
mod voucher;

pub use decision::{Decision, Finding};
pub use linkage::{LinkageFault, LinkageRule};
pub use plugin::VerifiedPlugin;
use policy::Place;
pub use policy::{Policy, PolicyFault};
pub use voucher::{Silence, SourceKind, SourceKindError, Voucher};

#[cfg(test)]
mod tests;
