//! `plugin-verify probe`: what a host sees of a plugin that is launched once and shut down. The
//! library launches, asks and ends; this shows.

mod arguments;
mod document;
mod session;
mod text;

use cli_support::Exit;
use portcullis::Error;
use portcullis::host::Ending;

pub(crate) use arguments::Arguments;

use self::session::{ProbeError, Seen};

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let probed = session::probe(arguments);
    let exit = verdict(&probed);
    match arguments.format.json {
        true => document::show(arguments, &probed, exit),
        false => text::show(arguments, &probed, exit),
    }
}

fn verdict(probed: &Result<Seen, ProbeError>) -> Exit {
    match probed {
        Ok(seen) if seen.trouble().is_none() => Exit::Success,
        Err(ProbeError::Launch(error)) if error.is_refusal() => Exit::Refused,
        Err(ProbeError::Source(error)) if !error.is_unreadable() => Exit::Refused,
        Ok(_) | Err(_) => Exit::Failed,
    }
}

/// Where a probe failed, as the library divides a launch.
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

/// What it took to end the plugin.
fn ending(ending: Ending) -> &'static str {
    match ending {
        Ending::Exited => "exited by itself",
        Ending::Asked => "asked",
        Ending::Terminated => "terminated",
        Ending::Killed => "killed",
        _ => "ended",
    }
}
