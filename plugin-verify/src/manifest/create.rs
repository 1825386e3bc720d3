//! `plugin-verify manifest create`: a manifest of what lies on disk. Signs nothing.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use cli_support::{Exit, OutputFormat};
use portcullis::authoring::Claims;
use portcullis::verify::{BundlePath, Expiry, ExpiryError, Manifest, Platform, PluginName, Version};
use portcullis::{Chain, Escaped};

use crate::OUTPUT;
use crate::place;

const VERB: &str = "manifest create";

/// Describe a plugin in a manifest
///
/// Writes the manifest beside a file (kv.manifest.toml) or into a directory (manifest.toml), where
/// those who verify look for it. Every file of a directory is described; links and devices cannot
/// be.
///
/// Exit status: 0 written, 2 not written.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The name of the plugin, instead of that of the file or directory
    #[arg(long, value_name = "NAME")]
    name: Option<PluginName>,

    /// Its version, of three numbers
    #[arg(long, value_name = "VERSION")]
    version: Version,

    /// The platform that it is for, such as linux-aarch64, or any; this machine's, unless named
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// The lowest version that is to be run from now on
    #[arg(long, value_name = "VERSION")]
    minimum_version: Option<Version>,

    /// When it no longer holds: a moment such as 2027-01-31T12:00:00Z, or days from now such as 90d
    #[arg(long, value_name = "WHEN")]
    expires: Option<When>,

    /// The file of a directory that is started
    #[arg(long, value_name = "PATH")]
    program: Option<BundlePath>,

    /// What runs the program: a file of the directory, or an absolute path on the machine, whose
    /// digest becomes part of the manifest
    #[arg(long, value_name = "PATH")]
    interpreter: Option<PathBuf>,

    /// An argument of the interpreter before the program; may be named several times
    #[arg(long, value_name = "ARGUMENT", requires = "interpreter", allow_hyphen_values = true)]
    interpreter_arg: Vec<String>,

    /// Write it to FILE; - is standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace a manifest that exists
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    format: OutputFormat,

    /// The plugin, a file or a directory
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

/// A moment as it is named on a command line.
#[derive(Debug, Clone, Copy)]
struct When(Expiry);

impl FromStr for When {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        const DAY: u64 = 24 * 60 * 60;
        // Beyond ten thousand years from now no moment can be written.
        let days = text.strip_suffix('d').and_then(|days| days.parse::<u16>().ok());
        match days {
            Some(days) => Ok(Self(Expiry::at(SystemTime::now() + Duration::from_secs(u64::from(days) * DAY)))),
            None => text.parse().map(Self),
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Exit {
    let to_stdout = arguments.output.as_deref() == Some(Path::new("-"));
    let described = describe(arguments).and_then(|text| match to_stdout {
        true => Ok((text, None)),
        false => write(arguments, &text).map(|target| (text, Some(target))),
    });
    match described {
        Err(error) => OUTPUT.failed(VERB, arguments.format, Chain::of(&*error)),
        Ok((text, target)) if arguments.format.json => {
            let file = target.map(|target| Escaped::path(&target).to_string());
            let text = to_stdout.then_some(text);
            OUTPUT.json(VERB, Exit::Success, [("manifest_file", file.into()), ("manifest", text.into())])
        }
        Ok((text, None)) => OUTPUT.print(text, Exit::Success),
        Ok((_, Some(target))) => {
            let line = format!("{}: described in {}\n", Escaped::path(&arguments.path), Escaped::path(&target));
            OUTPUT.print(line, Exit::Success)
        }
    }
}

fn describe(arguments: &Arguments) -> Result<String, Box<dyn Error>> {
    let name = arguments.name.clone();
    let name = name.or_else(|| arguments.path.file_name()?.to_str()?.parse().ok()).ok_or(CreateError::Unnamed)?;
    let mut claims = Claims::new(name, arguments.version.clone());
    if let Some(platform) = &arguments.platform {
        claims = claims.with_platform(platform.clone());
    }
    if let Some(minimum) = &arguments.minimum_version {
        claims = claims.with_minimum_version(minimum.clone());
    }
    if let Some(When(expires)) = arguments.expires {
        claims = claims.with_expiry(expires);
    }
    if let Some(program) = &arguments.program {
        claims = claims.with_program(program.clone());
    }
    Ok(with_interpreter(arguments, claims)?.describe(&arguments.path)?)
}

fn with_interpreter(arguments: &Arguments, claims: Claims) -> Result<Claims, Box<dyn Error>> {
    let given = arguments.interpreter_arg.clone();
    Ok(match &arguments.interpreter {
        None => claims,
        Some(path) if path.is_absolute() => claims.with_installed_interpreter(path, given)?,
        Some(path) => claims.with_bundled_interpreter(path.to_str().unwrap_or_default().parse()?, given),
    })
}

fn write(arguments: &Arguments, text: &str) -> Result<PathBuf, Box<dyn Error>> {
    let beside = || Manifest::belonging_to(&arguments.path, arguments.path.is_dir());
    let target = arguments.output.clone().unwrap_or_else(beside);
    match place::write(text.as_bytes(), &target, arguments.force) {
        Ok(()) => Ok(target),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(CreateError::Exists(target).into()),
        Err(error) => Err(CreateError::Io(target, error).into()),
    }
}

#[derive(Debug)]
enum CreateError {
    Unnamed,
    Exists(PathBuf),
    Io(PathBuf, io::Error),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unnamed => f.write_str("the file name is no name of a plugin; give it one with --name"),
            Self::Exists(path) => write!(f, "{} exists already; --force replaces it", Escaped::path(path)),
            Self::Io(path, _) => write!(f, "{} could not be written", Escaped::path(path)),
        }
    }
}

impl Error for CreateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(_, error) => Some(error),
            Self::Unnamed | Self::Exists(_) => None,
        }
    }
}
