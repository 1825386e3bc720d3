//! `plugin-verify lock remove`: the end of an agreement. Removes no plugin from disk.

use cli_support::Exit;
use portcullis::verify::{Lock, Platform, PluginName};

use super::fault::Fault;
use super::{Place, shown};

const VERB: &str = "lock remove";

/// Agree to a plugin no longer
///
/// Takes the plugin out of the lock file, and touches nothing else. The last plugin stays: a lock
/// file that names nothing is none.
///
/// Exit status: 0 removed, 1 refused, 2 the lock file could not be read or written.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,

    /// Only what is for this platform
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// The plugin
    #[arg(value_name = "NAME")]
    name: PluginName,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    remove(arguments).unwrap_or_else(|fault| fault.report(VERB, arguments.place.format))
}

fn remove(arguments: &Arguments) -> Result<Exit, Fault> {
    let _turn = Lock::hold(&arguments.place.lock)?;
    let mut lock = Lock::read(&arguments.place.lock)?;
    let change = lock.withdraw(&arguments.name, arguments.platform.as_ref())?;
    lock.write()?;
    Ok(shown::changes(VERB, &arguments.place, &[change], &[]))
}
