//! A policy's answers, recorded before anybody has them. Decides nothing that the policy did not.

use std::path::Path;

use super::facts;
use crate::audit::Log;
use crate::error::Error;
use crate::verify::{Decision, PluginName, Policy, VerifiedPlugin};

/// Does what [`Policy::verify`] does, and records the answer with everything that it rests on
/// before it is given. Blocks, as that does.
///
/// # Errors
///
/// [`Error::Verify`] as [`Policy::verify`]; its record is written later if it cannot be now.
/// [`Error::Audit`] when the plugin may run and that could not be recorded.
pub fn verify(policy: &Policy, path: impl AsRef<Path>, log: &Log) -> Result<VerifiedPlugin, Error> {
    record(policy.decide(path), log)
}

/// The same under another name than the file's own.
///
/// # Errors
///
/// As [`verify`].
pub fn verify_as(
    policy: &Policy,
    name: PluginName,
    path: impl AsRef<Path>,
    log: &Log,
) -> Result<VerifiedPlugin, Error> {
    record(policy.decide_as(name, path), log)
}

fn record(decision: Decision, log: &Log) -> Result<VerifiedPlugin, Error> {
    let event = facts::verification(&decision);
    let recorded = log.append(event.clone());
    match (decision.into_outcome(), recorded) {
        (Ok(plugin), Ok(())) => Ok(plugin),
        (Ok(_), Err(error)) => Err(Error::Audit(error)),
        (Err(error), Ok(())) => Err(error.into()),
        (Err(error), Err(_)) => {
            // That it was refused is a fact, and stays one.
            log.note(event);
            Err(error.into())
        }
    }
}
