//! Decisions of a policy, recorded before the caller has them. Decides nothing that the policy did
//! not.

use std::path::Path;

use super::events;
use crate::error::Error;
use crate::event::Recorder;
use crate::verify::{Decision, PluginName, Policy, VerifiedPlugin};

/// Verifies as [`Policy::verify`], and records the decision with its evidence before it returns.
/// Blocks, as [`Policy::verify`] does.
///
/// # Errors
///
/// [`Error::Verify`] as [`Policy::verify`]; if its record cannot be written now, the recorder
/// writes it later. [`Error::Record`] when the plugin may run and that could not be recorded.
pub fn verify(policy: &Policy, path: impl AsRef<Path>, recorder: &dyn Recorder) -> Result<VerifiedPlugin, Error> {
    record(policy.decide(path), recorder)
}

/// Does the same for a plugin whose name is not the name of its file.
///
/// # Errors
///
/// As [`verify`].
pub fn verify_as(
    policy: &Policy,
    name: PluginName,
    path: impl AsRef<Path>,
    recorder: &dyn Recorder,
) -> Result<VerifiedPlugin, Error> {
    record(policy.decide_as(name, path), recorder)
}

fn record(decision: Decision, recorder: &dyn Recorder) -> Result<VerifiedPlugin, Error> {
    let event = events::verification(&decision);
    let recorded = recorder.record(event.clone()).wait();
    match (decision.into_outcome(), recorded) {
        (Ok(plugin), Ok(())) => Ok(plugin),
        (Ok(_), Err(error)) => Err(Error::Record(error)),
        (Err(error), Ok(())) => Err(error.into()),
        (Err(error), Err(_)) => {
            // The refusal happened whether or not it is on disk: the recorder keeps it.
            recorder.note(event);
            Err(error.into())
        }
    }
}
