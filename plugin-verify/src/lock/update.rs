//! `plugin-verify lock update`: other bytes for what was agreed to. Adds no plugin.

use std::path::PathBuf;

use cli_support::Exit;
use portcullis::authoring::{Consent, Offer};
use portcullis::verify::Lock;

use super::fault::Fault;
use super::offering::Offering;
use super::{Place, shown};

const VERB: &str = "lock update";

/// Replace what was agreed to with another version
///
/// Looks at the files as `lock add` does, and refuses what would weaken the agreement: a version
/// below the locked one or below the minimum version, an unknown version in place of a known one,
/// and what the key that vouched so far does not vouch for. The minimum version rises with what
/// signed manifests say, and never falls by itself.
///
/// When the version changes, all platforms of the plugin change together: name the files for all of
/// them, or drop the others.
///
/// Prints what is gone and what is new. Writes the lock file if everything is agreed to, and else
/// leaves it as it is.
///
/// Exit status: 0 agreed to, 1 refused, 2 something could not be read or written.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    offering: Offering,

    /// Go back to a lower version, or to one that nobody knows
    #[arg(long)]
    dangerous_downgrade: bool,

    /// Accept what the key that vouched so far does not vouch for
    #[arg(long)]
    dangerous_other_signer: bool,

    /// Drop the platforms for which no file of the new version is named
    #[arg(long)]
    drop_platforms: bool,

    /// The plugins, files or directories
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Arguments {
    fn consent(&self) -> Consent {
        let mut consent = Consent::none();
        if self.dangerous_downgrade {
            consent = consent.dangerous_downgrade();
        }
        if self.dangerous_other_signer {
            consent = consent.dangerous_other_signer();
        }
        if self.drop_platforms {
            consent = consent.drop_platforms();
        }
        consent
    }
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    update(arguments).unwrap_or_else(|fault| fault.report(VERB, arguments.place.format))
}

fn update(arguments: &Arguments) -> Result<Exit, Fault> {
    let _turn = Lock::hold(&arguments.place.lock)?;
    let mut lock = Lock::read(&arguments.place.lock)?;
    let mut offers = arguments.offering.examine(&arguments.files)?;
    offers.sort_by(|one, other| one.name().cmp(other.name()));
    let plugins = offers.chunk_by(|one, other| one.name() == other.name());
    let changes =
        plugins.map(|offers: &[Offer]| lock.update(offers, arguments.consent())).collect::<Result<Vec<_>, _>>()?;
    lock.write()?;
    Ok(shown::changes(VERB, &arguments.place, &changes, &offers))
}
