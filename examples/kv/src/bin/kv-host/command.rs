//! One command: reads its value, makes its call, prints its result. The channel is the caller's.

use std::io::{self, Read, Write};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use cli_support::Signals;
use kv::limits::VALUE_BYTES;
use kv::store_proto::change::Kind;
use kv::store_proto::watch_response::Event;
use kv::store_proto::{Change, WatchResponse};
use portcullis::Escaped;
use tokio_stream::StreamExt;
use tonic::{Status, Streaming};

use crate::OUTPUT;
use crate::cli::CallCommand;
use crate::client::{Client, GrpcChannel};
use crate::error::{PeerError, from_peer};

/// One call with all its arguments.
pub(crate) enum Call {
    Put { key: String, value: Bytes },
    Get { key: String, with_version: bool },
    Delete { key: String },
    List { prefix: String, limit: u64 },
    Swap { key: String, expected: u64, value: Bytes },
    Watch { prefix: String, count: Option<u64> },
}

impl Call {
    /// Turns a command into a call. Reads the value from standard input if the command says so.
    pub(crate) fn read(command: CallCommand) -> Result<Self> {
        Ok(match command {
            CallCommand::Put { key, value } => Self::Put { key, value: read_value(value)? },
            CallCommand::Get { key, with_version } => Self::Get { key, with_version },
            CallCommand::Delete { key } => Self::Delete { key },
            CallCommand::List { prefix, limit } => Self::List { prefix, limit: limit.unwrap_or(0) },
            CallCommand::Cas { key, expect, value } => Self::Swap { key, expected: expect, value: read_value(value)? },
            CallCommand::Watch { prefix, count } => Self::Watch { prefix, count },
        })
    }
}

fn read_value(value: String) -> Result<Bytes> {
    // One byte more than the limit is enough to know that the value is too long.
    let value: Bytes = if value == "-" {
        let mut bytes = Vec::new();
        io::stdin().lock().take(VALUE_BYTES as u64 + 1).read_to_end(&mut bytes).context("cannot read the value")?;
        bytes.into()
    } else {
        value.into()
    };
    if value.len() > VALUE_BYTES {
        bail!("the value is longer than {VALUE_BYTES} bytes (64 MiB)");
    }
    Ok(value)
}

/// Makes the call and prints its result.
pub(crate) async fn perform<C: GrpcChannel>(client: &Client<C>, call: Call) -> Result<()> {
    let from_peer = from_peer(client.peer());
    match call {
        Call::Put { key, value } => client.put(key, value).await.map_err(from_peer),
        Call::Get { key, with_version } => get(client, key, with_version).await,
        Call::Delete { key } => match client.delete(key).await.map_err(from_peer)? {
            true => Ok(()),
            false => Err(PeerError::new(client.peer(), &Status::not_found("the key has no value")).into()),
        },
        Call::List { prefix, limit } => list(client, prefix, limit).await,
        Call::Swap { key, expected, value } => {
            let version = client.compare_and_swap(key, expected, value).await.map_err(from_peer)?;
            print(|output| writeln!(output, "{version}"))
        }
        Call::Watch { prefix, count } => {
            // Caught before the first line is printed: a script that saw it may send the signal.
            let mut signals = Signals::catch().context("cannot handle signals")?;
            tokio::select! {
                watched = watch(client, prefix, count) => watched,
                () = signals.received() => Ok(()),
            }
        }
    }
}

async fn get<C: GrpcChannel>(client: &Client<C>, key: String, with_version: bool) -> Result<()> {
    if with_version {
        // Fails before the call if the peer has no versions: a `0` line would look like one.
        client.store().map_err(from_peer(client.peer()))?;
    }
    let mut value = client.get(key).await.map_err(from_peer(client.peer()))?;
    if with_version {
        print(|output| writeln!(output, "{}", value.version))?;
    }
    while let Some(chunk) = value.next().await {
        let chunk = chunk.map_err(|status| PeerError::new(client.peer(), &status))?;
        print(|output| output.write_all(&chunk))?;
    }
    Ok(())
}

async fn list<C: GrpcChannel>(client: &Client<C>, prefix: String, limit: u64) -> Result<()> {
    let mut entries = client.list(prefix, limit).await.map_err(from_peer(client.peer()))?;
    while let Some(entry) = next(client, &mut entries).await? {
        print(|output| writeln!(output, "{}\t{}\t{}", entry.version, entry.size, Escaped::new(&entry.key)))?;
    }
    Ok(())
}

async fn watch<C: GrpcChannel>(client: &Client<C>, prefix: String, count: Option<u64>) -> Result<()> {
    let mut changes = client.watch(prefix).await.map_err(from_peer(client.peer()))?;
    // Only changes count, not the message that announces the start.
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(WatchResponse { event: Some(event) }) = next(client, &mut changes).await? else { break };
        match event {
            Event::Listening(from) => {
                OUTPUT.warn(format_args!("listening for changes after version {}", from.version));
            }
            Event::Change(change) => {
                print_change(&change)?;
                left -= 1;
            }
        }
    }
    Ok(())
}

fn print_change(change: &Change) -> Result<()> {
    let kind = match change.kind() {
        Kind::Put => "put",
        Kind::Delete => "delete",
        Kind::Unspecified => "unknown",
    };
    print(|output| writeln!(output, "{kind}\t{}\t{}\t{}", change.version, change.size, Escaped::new(&change.key)))
}

async fn next<C: GrpcChannel, T>(client: &Client<C>, messages: &mut Streaming<T>) -> Result<Option<T>> {
    Ok(messages.message().await.map_err(|status| PeerError::new(client.peer(), &status))?)
}

/// Writes to standard output and flushes: another program may be waiting for the line.
fn print(write: impl FnOnce(&mut io::StdoutLock<'static>) -> io::Result<()>) -> Result<()> {
    let mut output = io::stdout().lock();
    write(&mut output).and_then(|()| output.flush()).context("cannot write the result")
}
