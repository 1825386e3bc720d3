//! Changes of a lock file by explicit commands: a candidate is examined, offered, agreed to and
//! written. Nothing is ever added because it was seen.

mod agree;
mod change;
mod inventory;
mod offer;
mod refusal;
mod write;

pub use agree::Consent;
pub use change::Change;
pub use inventory::{Inventory, Item, Presence};
pub use offer::{Candidate, Offer};
pub use refusal::{LockRefusal, OfferError};
pub use write::{LockHold, LockWriteError};

#[cfg(test)]
mod candidates;
