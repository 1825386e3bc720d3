//! `plugin-verify lock add`, `update` and `remove`: changes of a lock file. The library decides
//! which changes are allowed.

use std::io;
use std::path::PathBuf;

use cli_support::Exit;
use portcullis::authoring::{Candidate, Overrides};
use portcullis::verify::{Lock, Platform, PluginName, SourceError, SourceFault};

use super::candidates::CandidateOptions;
use super::outcome::NotWritten;
use super::{LockOptions, outcome};

const ADD: &str = "lock add";
const UPDATE: &str = "lock update";
const REMOVE: &str = "lock remove";

/// Add plugins to the lock file
///
/// Records the digest of a file, or of the manifest of a directory after checking every file in it.
/// A plugin for this machine must pass the checks of a launch. A plugin for another platform is
/// recorded by its bytes alone.
///
/// With --key, the manifest must be signed by that key; name, version, minimum version and platform
/// come from the manifest, and the key is recorded.
///
/// The lock file is created if needed. If any plugin is refused, nothing is written.
///
/// Example: plugin-verify lock add --key release.pub ./plugins/kv
///
/// Exit status: 0 added, 1 refused, 2 a file could not be read or written.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArguments {
    #[command(flatten)]
    options: LockOptions,

    #[command(flatten)]
    candidates: CandidateOptions,

    /// Add a platform that is not signed by the key of the plugin's other platforms
    #[arg(long)]
    dangerous_other_signer: bool,

    /// The plugins: files or directories
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run_add(arguments: &AddArguments) -> Exit {
    add(arguments).unwrap_or_else(|failure| failure.report(ADD, arguments.options.format))
}

fn add(arguments: &AddArguments) -> Result<Exit, NotWritten> {
    let _turn = Lock::exclusive(&arguments.options.lock)?;
    let mut lock = match Lock::read(&arguments.options.lock) {
        Err(error) if is_missing(&error) => Lock::new(&arguments.options.lock),
        read => read?,
    };
    let consent = match arguments.dangerous_other_signer {
        true => Overrides::none().dangerous_other_signer(),
        false => Overrides::none(),
    };
    let offers = arguments.candidates.examine(&arguments.files)?;
    let changes = offers.iter().map(|offer| lock.add(offer, consent)).collect::<Result<Vec<_>, _>>()?;
    lock.write()?;
    Ok(outcome::changes(ADD, &arguments.options, &changes, &offers))
}

fn is_missing(error: &SourceError) -> bool {
    matches!(&error.fault, SourceFault::Unreadable(source) if source.kind() == io::ErrorKind::NotFound)
}

/// Replace locked plugins with another version
///
/// Examines the files as `lock add` does, and refuses a weaker lock: a version below the locked one
/// or below the minimum version, an unknown version in place of a known one, or a file not signed
/// by the recorded key. The minimum version rises with signed manifests; an update
/// never lowers it.
///
/// When the version changes, all platforms of the plugin change together: name the files for all of
/// them, or pass --drop-platforms.
///
/// Prints what was removed and added. If any plugin is refused, nothing is written.
///
/// Example: plugin-verify lock update --key release.pub ./plugins/kv
///
/// Exit status: 0 updated, 1 refused, 2 a file could not be read or written.
#[derive(Debug, clap::Args)]
pub(crate) struct UpdateArguments {
    #[command(flatten)]
    options: LockOptions,

    #[command(flatten)]
    candidates: CandidateOptions,

    /// Allow a lower version, or an unknown one
    #[arg(long)]
    dangerous_downgrade: bool,

    /// Allow files that the recorded key did not sign
    #[arg(long)]
    dangerous_other_signer: bool,

    /// Remove the platforms for which no file of the new version is named
    #[arg(long)]
    drop_platforms: bool,

    /// The plugins: files or directories
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl UpdateArguments {
    fn consent(&self) -> Overrides {
        let mut consent = Overrides::none();
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
    let _turn = Lock::exclusive(&arguments.options.lock)?;
    let mut lock = Lock::read(&arguments.options.lock)?;
    let mut offers = arguments.candidates.examine(&arguments.files)?;
    offers.sort_by(|one, other| one.name().cmp(other.name()));
    let plugins = offers.chunk_by(|one, other| one.name() == other.name());
    let changes =
        plugins.map(|offers: &[Candidate]| lock.update(offers, arguments.consent())).collect::<Result<Vec<_>, _>>()?;
    lock.write()?;
    Ok(outcome::changes(UPDATE, &arguments.options, &changes, &offers))
}

/// Remove a plugin from the lock file
///
/// Changes the lock file only; the plugin stays on disk. The last plugin cannot be removed: a lock
/// file without plugins is invalid.
///
/// Example: plugin-verify lock remove kv
///
/// Exit status: 0 removed, 1 refused, 2 the lock file could not be read or written.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    options: LockOptions,

    /// Remove only this platform
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// Name of the plugin
    #[arg(value_name = "NAME")]
    name: PluginName,
}

pub(super) fn run_remove(arguments: &RemoveArguments) -> Exit {
    remove(arguments).unwrap_or_else(|failure| failure.report(REMOVE, arguments.options.format))
}

fn remove(arguments: &RemoveArguments) -> Result<Exit, NotWritten> {
    let _turn = Lock::exclusive(&arguments.options.lock)?;
    let mut lock = Lock::read(&arguments.options.lock)?;
    let change = lock.remove(&arguments.name, arguments.platform.as_ref())?;
    lock.write()?;
    Ok(outcome::changes(REMOVE, &arguments.options, &[change], &[]))
}
