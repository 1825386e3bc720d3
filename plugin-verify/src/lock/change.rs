//! `plugin-verify lock add`, `update` and `remove`: changes of a lock file. The library decides which
//! changes are allowed.

use std::io;
use std::path::PathBuf;

use cli_support::Exit;
use portcullis::authoring::{Consent, Offer};
use portcullis::verify::{Lock, Platform, PluginName, SourceError, SourceFault};

use super::candidates::CandidateOptions;
use super::outcome::NotWritten;
use super::{LockOptions, outcome};

const ADD: &str = "lock add";
const UPDATE: &str = "lock update";
const REMOVE: &str = "lock remove";

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
pub(crate) struct AddArguments {
    #[command(flatten)]
    options: LockOptions,

    #[command(flatten)]
    candidates: CandidateOptions,

    /// Add a platform although the key that vouches for the others does not vouch for it
    #[arg(long)]
    dangerous_other_signer: bool,

    /// The plugins, files or directories
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run_add(arguments: &AddArguments) -> Exit {
    add(arguments).unwrap_or_else(|failure| failure.report(ADD, arguments.options.format))
}

fn add(arguments: &AddArguments) -> Result<Exit, NotWritten> {
    let _turn = Lock::hold(&arguments.options.lock)?;
    let mut lock = match Lock::read(&arguments.options.lock) {
        Err(error) if is_missing(&error) => Lock::new(&arguments.options.lock),
        read => read?,
    };
    let consent = match arguments.dangerous_other_signer {
        true => Consent::none().dangerous_other_signer(),
        false => Consent::none(),
    };
    let offers = arguments.candidates.examine(&arguments.files)?;
    let changes = offers.iter().map(|offer| lock.agree(offer, consent)).collect::<Result<Vec<_>, _>>()?;
    lock.write()?;
    Ok(outcome::changes(ADD, &arguments.options, &changes, &offers))
}

fn is_missing(error: &SourceError) -> bool {
    matches!(&error.fault, SourceFault::Unreadable(source) if source.kind() == io::ErrorKind::NotFound)
}

/// Replace what was agreed to with another version
///
/// Looks at the files as `lock add` does, and refuses what would weaken the agreement: a version
/// below the locked one or below the minimum version, an unknown version in options of a known one,
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
pub(crate) struct UpdateArguments {
    #[command(flatten)]
    options: LockOptions,

    #[command(flatten)]
    candidates: CandidateOptions,

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

impl UpdateArguments {
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

pub(super) fn run_update(arguments: &UpdateArguments) -> Exit {
    update(arguments).unwrap_or_else(|failure| failure.report(UPDATE, arguments.options.format))
}

fn update(arguments: &UpdateArguments) -> Result<Exit, NotWritten> {
    let _turn = Lock::hold(&arguments.options.lock)?;
    let mut lock = Lock::read(&arguments.options.lock)?;
    let mut offers = arguments.candidates.examine(&arguments.files)?;
    offers.sort_by(|one, other| one.name().cmp(other.name()));
    let plugins = offers.chunk_by(|one, other| one.name() == other.name());
    let changes =
        plugins.map(|offers: &[Offer]| lock.update(offers, arguments.consent())).collect::<Result<Vec<_>, _>>()?;
    lock.write()?;
    Ok(outcome::changes(UPDATE, &arguments.options, &changes, &offers))
}

/// Agree to a plugin no longer
///
/// Takes the plugin out of the lock file, and touches nothing else. The last plugin stays: a lock
/// file that names nothing is none.
///
/// Exit status: 0 removed, 1 refused, 2 the lock file could not be read or written.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    options: LockOptions,

    /// Only what is for this platform
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// The plugin
    #[arg(value_name = "NAME")]
    name: PluginName,
}

pub(super) fn run_remove(arguments: &RemoveArguments) -> Exit {
    remove(arguments).unwrap_or_else(|failure| failure.report(REMOVE, arguments.options.format))
}

fn remove(arguments: &RemoveArguments) -> Result<Exit, NotWritten> {
    let _turn = Lock::hold(&arguments.options.lock)?;
    let mut lock = Lock::read(&arguments.options.lock)?;
    let change = lock.withdraw(&arguments.name, arguments.platform.as_ref())?;
    lock.write()?;
    Ok(outcome::changes(REMOVE, &arguments.options, &[change], &[]))
}
