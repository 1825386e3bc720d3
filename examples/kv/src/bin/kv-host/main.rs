//! The host of the example: verifies a plugin, launches it, makes one call, and shuts it down.

mod trust;

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::{Parser, Subcommand};
use kv::VALUE_LIMIT;
use kv::proto::kv_client::KvClient;
use kv::proto::{GetRequest, PutRequest};
use portcullis::host::{Environment, Plugin};
use portcullis::verify::SourceError;
use portcullis::{Error, Escaped, MESSAGE_LIMIT, Protocol};
use tonic::Code;
use tonic::transport::Channel;

use crate::trust::Trust;

/// Stores and fetches values through a verified plugin.
#[derive(Parser)]
#[command(after_help = "Exit status: 0 done, 1 refused or not found, 2 could not")]
struct Arguments {
    /// The plugin: a file, or a directory with a manifest in it
    #[arg(long, value_name = "PATH")]
    plugin: PathBuf,
    /// The cookie that the plugin expects
    #[arg(long, value_name = "KEY=VALUE", default_value = "BASIC_PLUGIN=hello", value_parser = cookie)]
    cookie: (String, String),
    /// The version of the application's protocol
    #[arg(long, value_name = "N", default_value_t = 1)]
    protocol: u32,
    /// The directory that the values are kept in
    #[arg(long, value_name = "DIR", default_value = "kv-data")]
    data: PathBuf,
    /// Print the launch report to standard error
    #[arg(long)]
    report: bool,
    #[command(flatten)]
    trust: Trust,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Store a value; `-` reads it from standard input
    Put { key: String, value: String },
    /// Print a value to standard output
    Get { key: String },
}

fn cookie(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.into(), value.into())),
        _ => Err("expected KEY=VALUE".into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kv-host: {error:#}");
            ExitCode::from(status(&error))
        }
    }
}

/// 1 for a plugin that was refused, a source that is wrong and a key that has no value, 2 for everything else.
fn status(error: &anyhow::Error) -> u8 {
    let refused = error.downcast_ref::<Error>().is_some_and(Error::is_refusal)
        || error.downcast_ref::<SourceError>().is_some_and(|error| !error.is_unreadable());
    let not_found = error.downcast_ref::<Answer>().is_some_and(|answer| answer.code == Code::NotFound);
    if refused || not_found { 1 } else { 2 }
}

async fn run(arguments: Arguments) -> Result<()> {
    // Read before anything is started: nobody should wait for a person at the keyboard.
    let command = arguments.command.read_value()?;
    let data = directory(&arguments.data)?;
    let verified = arguments.trust.verify(&arguments.plugin)?;
    let (key, value) = arguments.cookie;
    let plugin = Plugin::builder(verified)
        .with_protocol(Protocol::new(key, value, arguments.protocol))
        .with_environment(Environment::empty())
        .with_working_directory(&data)
        .args(["--data".into(), data.into_os_string()])
        .launch()
        .await?;
    if arguments.report {
        eprintln!("{}", plugin.report());
    }
    let client = KvClient::new(plugin.channel()).max_decoding_message_size(MESSAGE_LIMIT);
    let called = call(client, command).await;
    plugin.shutdown(Duration::from_secs(2)).await;
    called
}

/// One request, complete.
enum Request {
    Put(PutRequest),
    Get(GetRequest),
}

impl Command {
    fn read_value(self) -> Result<Request> {
        Ok(match self {
            Self::Get { key } => Request::Get(GetRequest { key }),
            Self::Put { key, value } if value == "-" => {
                let mut value = Vec::new();
                let limit = VALUE_LIMIT as u64 + 1;
                io::stdin().lock().take(limit).read_to_end(&mut value).context("cannot read the value")?;
                Request::Put(PutRequest { key, value: bounded(value.into())? })
            }
            Self::Put { key, value } => Request::Put(PutRequest { key, value: bounded(value.into())? }),
        })
    }
}

fn bounded(value: Bytes) -> Result<Bytes> {
    if value.len() > VALUE_LIMIT {
        bail!("the value is longer than {VALUE_LIMIT} bytes");
    }
    Ok(value)
}

async fn call(mut client: KvClient<Channel>, request: Request) -> Result<()> {
    match request {
        Request::Put(request) => drop(client.put(request).await.map_err(told)?),
        Request::Get(request) => {
            let value = client.get(request).await.map_err(told)?.into_inner().value;
            io::stdout().lock().write_all(&value).context("cannot write the value")?;
        }
    }
    Ok(())
}

/// What the plugin answered instead of a result. Its own words are escaped.
#[derive(Debug)]
struct Answer {
    code: Code,
    message: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the plugin answered: {} ({:?})", Escaped::new(&self.message), self.code)
    }
}

impl std::error::Error for Answer {}

fn told(status: tonic::Status) -> Answer {
    Answer { code: status.code(), message: status.message().chars().take(1000).collect() }
}

/// Makes the directory if it is not there, for this user alone, and returns its full path.
fn directory(path: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.and_then(|()| path.canonicalize()).with_context(|| format!("cannot use {} for data", Escaped::path(path)))
}
