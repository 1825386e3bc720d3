//! Changes of a lock file by explicit commands: a candidate is checked, added to the lock, and the
//! file is written. Nothing is ever added because a host found or ran it.

mod candidate;
mod changes;
mod error;
mod file;
mod inventory;

pub use candidate::{Candidate, CandidateBuilder};
pub use changes::{Change, Overrides};
pub use error::{CandidateError, LockRefusal};
pub use file::{LockFileGuard, LockWriteError};
pub use inventory::{Inventory, InventoryItem, InventoryStatus};

#[cfg(test)]
mod tests;
