//! Records verifications, and launches from the intent to the end of the process. Decides one
//! thing: an action whose record fails does not happen.

mod events;
mod launch;
mod verification;

pub(super) use launch::{LaunchRecorder, PluginRecorder};
pub use verification::{verify, verify_as};
