//! `plugin-verify manifest verify`: every difference between a plugin and its manifest. Makes
//! nothing runnable.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use portcullis::authoring::{Difference, ManifestError};
use portcullis::verify::{Manifest, Platform, PluginName, PublicKey, Refusal, SignedManifest, SourceError};
use serde_json::Value;

use crate::OUTPUT;
use crate::trust::KeyArgument;

const VERB: &str = "manifest verify";

/// Compare a plugin with its manifest, file by file
///
/// Verifies the signature, expiry and platform of the manifest, then lists every file that differs,
/// is missing, or is not in the manifest. A launch ignores files that are not in the manifest; here
/// they count as refusals.
///
/// This compares with the manifest alone: `check` decides whether the plugin may run.
///
/// Example: plugin-verify manifest verify --key release.pub ./kv
///
/// Exit status: 0 everything matches, 1 something differs, 2 something could not be read.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("trust").required(true).args(["key", "unsigned"])))]
pub(crate) struct Arguments {
    /// minisign public key, or a file with one; its owner must have signed the manifest. May be
    /// repeated
    #[arg(long, value_name = "KEY")]
    key: Vec<KeyArgument>,

    /// Compare with an unsigned manifest, which a person who changed the files may have changed too
    #[arg(long)]
    unsigned: bool,

    /// Manifest, instead of the one beside the file or in the directory
    #[arg(long, value_name = "MANIFEST")]
    manifest: Option<PathBuf>,

    /// Plugin name that the manifest must state
    #[arg(long = "as", value_name = "NAME")]
    known_as: Option<PluginName>,

    /// Platform that the manifest must state [default: this machine]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,

    #[command(flatten)]
    format: OutputFormat,

    /// The plugin: a file or a directory
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    match read(arguments) {
        Ok((manifest, key)) => compare(arguments, &manifest, key),
        Err(error) if error.is_unreadable() => OUTPUT.failed(VERB, arguments.format, &Problem::of(&error)),
        Err(error) => OUTPUT.refused(VERB, arguments.format, &Problem::refusal(&error)),
    }
}

fn read(arguments: &Arguments) -> Result<(Manifest, Option<PublicKey>), SourceError> {
    let belonging = || Manifest::belonging_to(&arguments.path, arguments.path.is_dir());
    let path = arguments.manifest.clone().unwrap_or_else(belonging);
    if arguments.unsigned {
        return Ok((Manifest::read(path)?, None));
    }
    let keys = arguments.key.iter().map(KeyArgument::read).collect::<Result<Vec<_>, _>>()?;
    let signed = SignedManifest::read(path, &keys)?;
    Ok((signed.manifest().clone(), Some(*signed.key())))
}

fn compare(arguments: &Arguments, manifest: &Manifest, key: Option<PublicKey>) -> Exit {
    let differences = match manifest.compare(&arguments.path) {
        Ok(differences) => differences,
        Err(error @ ManifestError::Io { .. }) => return OUTPUT.failed(VERB, arguments.format, &Problem::of(&error)),
        Err(error) => return OUTPUT.refused(VERB, arguments.format, &Problem::refusal(&error)),
    };
    let refusal = about(arguments, manifest).err();
    let exit =
        differences.iter().fold(refusal.as_ref().map_or(Exit::Success, |_| Exit::Refused), |exit, difference| {
            exit.and(if difference.is_refusal() { Exit::Refused } else { Exit::Failed })
        });
    if arguments.format.json {
        return document(arguments, manifest, key, &differences, refusal.as_ref(), exit);
    }
    let text = text(arguments, manifest, key, &differences, refusal.as_ref(), exit);
    let written = OUTPUT.write(text);
    if key.is_none() {
        OUTPUT.warn("the manifest is not signed: whoever changed the files may have changed it too");
    }
    if let Some(advice) = refusal.as_ref().and_then(Refusal::hint) {
        OUTPUT.hint(advice);
    }
    OUTPUT.finish(exit, written)
}

/// Whether the manifest is about the requested plugin and platform, and is still valid.
fn about(arguments: &Arguments, manifest: &Manifest) -> Result<(), Refusal> {
    let platform = arguments.platform.clone().unwrap_or_else(Platform::current);
    match &arguments.known_as {
        Some(name) => manifest.check(name, &platform, SystemTime::now()),
        None => manifest.check_validity(&platform, SystemTime::now()),
    }
}

fn text(
    arguments: &Arguments,
    manifest: &Manifest,
    key: Option<PublicKey>,
    differences: &[Difference],
    refusal: Option<&Refusal>,
    exit: Exit,
) -> String {
    let verdict = match (exit, key) {
        (Exit::Success, Some(_)) => "OK",
        (Exit::Success, None) => "UNSIGNED, files match",
        (Exit::Refused, _) => "REFUSED",
        (Exit::Failed, _) => "NOT COMPARED",
    };
    let mut text = format!("{}: {verdict}\n", Escaped::path(&arguments.path));
    let (name, version, platform) = (manifest.name(), manifest.version(), manifest.platform());
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  plugin {name} {version} for {platform}, {} files", manifest.files().len());
    let _ = match key {
        Some(key) => writeln!(text, "  by     key {}", key.id()),
        None => writeln!(text, "  by     no key"),
    };
    for line in refusal.map(ToString::to_string).into_iter().chain(differences.iter().map(ToString::to_string)) {
        let _ = writeln!(text, "  {}", line.replace('\n', "\n  "));
    }
    text
}

fn document(
    arguments: &Arguments,
    manifest: &Manifest,
    key: Option<PublicKey>,
    differences: &[Difference],
    refusal: Option<&Refusal>,
    exit: Exit,
) -> Exit {
    let differences: Vec<Value> = differences
        .iter()
        .map(|difference| {
            let mut entry = Problem::from(difference).object(Exit::Refused);
            entry.insert("kind".into(), kind(difference).into());
            Value::Object(entry)
        })
        .collect();
    OUTPUT.json(
        VERB,
        exit,
        [
            ("file", Escaped::path(&arguments.path).to_string().into()),
            ("name", manifest.name().to_string().into()),
            ("version", manifest.version().to_string().into()),
            ("platform", manifest.platform().to_string().into()),
            ("key", key.map(|key| key.to_string()).into()),
            ("refusal", refusal.map(|refusal| Problem::refusal(refusal).object(Exit::Refused)).into()),
            ("differences", differences.into()),
        ],
    )
}

fn kind(difference: &Difference) -> &'static str {
    match difference {
        Difference::Missing { .. } => "missing",
        Difference::Extra { .. } => "extra",
        Difference::Unreadable { .. } => "unreadable",
        _ => "differs",
    }
}
