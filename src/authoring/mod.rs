//! For people who edit and publish: changes of a lock file, manifests, signatures. A launch never
//! uses this module.
#![forbid(unsafe_code)]

mod lock;
mod manifest;
#[cfg(feature = "sign")]
pub mod sign;

pub use lock::{
    Candidate, CandidateBuilder, CandidateError, Change, Inventory, InventoryItem, InventoryStatus, LockFileGuard,
    LockRefusal, LockWriteError, Overrides,
};
pub use manifest::{Claims, Difference, ManifestError};
