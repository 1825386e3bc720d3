//! `plugin-verify manifest create`: a manifest of files on disk. Signs nothing.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::Escaped;
use portcullis::authoring::Claims;
use portcullis::verify::{BundlePath, Expiry, ExpiryError, Manifest, Platform, PluginName, Version};

use crate::OUTPUT;
use crate::files;

const VERB: &str = "manifest create";

/// Create the manifest of a plugin
///
/// Writes the manifest beside a file (kv.manifest.toml) or into a directory (manifest.toml), where
/// `check` looks for it. It lists every file of a directory; links and devices are rejected.
///
/// Example: plugin-verify manifest create --version 1.2.0 --expires 90d ./kv
///
/// Exit status: 0 written, 2 not written.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Name of the plugin, instead of the file or directory name
    #[arg(long, value_name = "NAME")]
    name: Option<PluginName>,

    /// Version of the plugin: MAJOR.MINOR.PATCH
    #[arg(long, value_name = "VERSION")]
    version: Version,

    /// Platform of the plugin, such as linux-aarch64, or any [default: this machine]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,

    /// Lowest version that may run from now on: older manifests are then refused as rollback
    #[arg(long, value_name = "VERSION")]
    minimum_version: Option<Version>,

    /// Expiry: a UTC time such as 2027-01-31T12:00:00Z, or a number of days such as 90d
    #[arg(long, value_name = "WHEN")]
    expires: Option<When>,

    /// File of the directory to start, relative to it
    #[arg(long, value_name = "PATH")]
    program: Option<BundlePath>,

    /// Interpreter of the program: a file of the directory, or an absolute path on the machine,
    /// whose digest the manifest then records
    #[arg(long, value_name = "PATH")]
    interpreter: Option<PathBuf>,

    /// Argument of the interpreter, before the program. May be repeated
    #[arg(long, value_name = "ARGUMENT", requires = "interpreter", allow_hyphen_values = true)]
    interpreter_arg: Vec<String>,

    /// File to write the manifest to; - is standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace an existing manifest
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    format: OutputFormat,

    /// The plugin: a file or a directory
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

/// An expiry on a command line.
#[derive(Debug, Clone, Copy)]
struct When(Expiry);

impl FromStr for When {
    type Err = ExpiryError;

    fn from_str(text: &str) -> Result<Self, ExpiryError> {
        const DAY: u64 = 24 * 60 * 60;
        // u16 keeps the expiry before the year 10000, the last that its notation can hold.
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
        Err(error) => OUTPUT.failed(VERB, arguments.format, &Problem::of(&*error)),
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
    match files::write(text.as_bytes(), &target, arguments.force) {
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
            Self::Unnamed => f.write_str("the file name is not a valid plugin name; name the plugin with --name"),
            Self::Exists(path) => write!(f, "{} already exists; --force replaces it", Escaped::path(path)),
            Self::Io(path, _) => write!(f, "cannot write {}", Escaped::path(path)),
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
