//! What people edit and publish: changes of a lock file, manifests made and compared, signatures.
//! Nothing on the path of a launch uses it.
#![forbid(unsafe_code)]

mod lock;
mod manifest;
#[cfg(feature = "sign")]
pub mod sign;

pub use lock::{
    Candidate, Change, Consent, Inventory, Item, LockHold, LockRefusal, LockWriteError, Offer, OfferError, Presence,
};
pub use manifest::{Claims, Difference, ManifestError};
