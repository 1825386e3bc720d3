//! `plugin-verify probe`: launches a plugin once, prints what a host sees of it, and shuts it down.
//! The library does all but the printing.

mod arguments;
mod document;
mod session;
mod text;

use cli_support::Exit;
use portcullis::Error;
use portcullis::host::ShutdownPath;

pub(crate) use arguments::Arguments;

use self::session::{Observations, ProbeError};

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let probed = session::probe(arguments);
    let exit = verdict(&probed);
    match arguments.format.json {
        true => document::show(arguments, &probed, exit),
        false => text::show(arguments, &probed, exit),
    }
}

fn verdict(probed: &Result<Observations, ProbeError>) -> Exit {
    match probed {
        Ok(observed) if observed.trouble().is_none() => Exit::Success,
        Err(ProbeError::Launch(error)) if error.is_refusal() => Exit::Refused,
        Err(ProbeError::Source(error)) if !error.is_unreadable() => Exit::Refused,
        Ok(_) | Err(_) => Exit::Failed,
    }
}

/// The stage of a launch at which the probe failed.
fn stage(fault: &ProbeError) -> &'static str {
    match fault {
        ProbeError::Environment(_) | ProbeError::NotSet(_) => "environment",
        ProbeError::Runtime(_) => "runtime",
        ProbeError::Interrupted => "interrupt",
        ProbeError::Source(_) | ProbeError::Launch(Error::Verify(_)) => "verify",
        ProbeError::Launch(Error::Start(_)) => "start",
        ProbeError::Launch(_) => "launch",
    }
}

/// The step of the shutdown after which the plugin exited.
fn ending(ending: ShutdownPath) -> &'static str {
    match ending {
        ShutdownPath::Exited => "exited before the shutdown",
        ShutdownPath::Asked => "exited on request",
        ShutdownPath::Terminated => "terminated",
        ShutdownPath::Killed => "killed",
        _ => "ended",
    }
}
