//! What a launch leaves in the audit log, from the intent to the end of the process. Decides
//! nothing but that what cannot be recorded does not happen.

#[cfg(feature = "audit")]
mod facts;
#[cfg(feature = "audit")]
mod recorded;
#[cfg(not(feature = "audit"))]
mod unrecorded;
#[cfg(feature = "audit")]
mod verification;

#[cfg(feature = "audit")]
pub(super) use recorded::{Life, Trail};
#[cfg(not(feature = "audit"))]
pub(super) use unrecorded::{Life, Trail};
#[cfg(feature = "audit")]
pub use verification::{verify, verify_as};
