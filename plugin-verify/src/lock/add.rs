//! `plugin-verify lock add`: agreement to what was not agreed to before. Replaces nothing.

use std::io;
use std::path::PathBuf;

use cli_support::Exit;
use portcullis::authoring::Consent;
use portcullis::verify::{Lock, SourceError, SourceFault};

use super::fault::Fault;
use super::offering::Offering;
use super::{Place, shown};

const VERB: &str = "lock add";

/// Agree to plugins that are not in the lock file yet
///
/// A file is agreed to by its digest; a directory by that of the manifest in it, whose files are
/// all looked at first. What is for this machine is looked at as before a launch, and refused if it
/// could not run. What is for another machine is agreed to by its bytes alone.
///
/// With --key the manifest must be signed by that key: name, version, minimum version and platform
/// are taken from it, and the key is noted.
///
/// Writes the lock file, which need not exist, if everything is agreed to, and else leaves it as it
/// is.
///
/// Exit status: 0 agreed to, 1 refused, 2 something could not be read or written.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    offering: Offering,

    /// Add a platform although the key that vouches for the others does not vouch for it
    #[arg(long)]
    dangerous_other_signer: bool,

    /// The plugins, files or directories
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    add(arguments).unwrap_or_else(|fault| fault.report(VERB, arguments.place.format))
}

fn add(arguments: &Arguments) -> Result<Exit, Fault> {
    let _turn = Lock::hold(&arguments.place.lock)?;
    let mut lock = match Lock::read(&arguments.place.lock) {
        Err(error) if is_missing(&error) => Lock::new(&arguments.place.lock),
        read => read?,
    };
    let consent = match arguments.dangerous_other_signer {
        true => Consent::none().dangerous_other_signer(),
        false => Consent::none(),
    };
    let offers = arguments.offering.examine(&arguments.files)?;
    let changes = offers.iter().map(|offer| lock.agree(offer, consent)).collect::<Result<Vec<_>, _>>()?;
    lock.write()?;
    Ok(shown::changes(VERB, &arguments.place, &changes, &offers))
}

fn is_missing(error: &SourceError) -> bool {
    matches!(&error.fault, SourceFault::Unreadable(source) if source.kind() == io::ErrorKind::NotFound)
}
