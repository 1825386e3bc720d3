//! One command: its value read, its call made, its result printed.

use std::io::{self, Read, Write};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use cli_support::Signals;
use kv::VALUE_LIMIT;
use kv::store_proto::change::Kind;
use kv::store_proto::watch_response::Event;
use kv::store_proto::{Change, WatchResponse};
use portcullis::Escaped;
use tokio_stream::StreamExt;
use tonic::{Status, Streaming};

use crate::OUTPUT;
use crate::caller::{Caller, Calls};
use crate::cli::CallCommand;
use crate::fault::{Answer, told};

/// One call, complete.
pub(crate) enum Call {
    Put { key: String, value: Bytes },
    Get { key: String, with_version: bool },
    Delete { key: String },
    List { prefix: String, limit: u64 },
    Swap { key: String, expected: u64, value: Bytes },
    Watch { prefix: String, count: Option<u64> },
}

impl Call {
    /// What a command asks for, with the value that it names.
    pub(crate) fn read(command: CallCommand) -> Result<Self> {
        Ok(match command {
            CallCommand::Put { key, value } => Self::Put { key, value: read(value)? },
            CallCommand::Get { key, with_version } => Self::Get { key, with_version },
            CallCommand::Delete { key } => Self::Delete { key },
            CallCommand::List { prefix, limit } => Self::List { prefix, limit: limit.unwrap_or(0) },
            CallCommand::Cas { key, expect, value } => Self::Swap { key, expected: expect, value: read(value)? },
            CallCommand::Watch { prefix, count } => Self::Watch { prefix, count },
        })
    }
}

fn read(value: String) -> Result<Bytes> {
    let value: Bytes = if value == "-" {
        let mut bytes = Vec::new();
        io::stdin().lock().take(VALUE_LIMIT as u64 + 1).read_to_end(&mut bytes).context("cannot read the value")?;
        bytes.into()
    } else {
        value.into()
    };
    if value.len() > VALUE_LIMIT {
        bail!("the value is longer than {VALUE_LIMIT} bytes");
    }
    Ok(value)
}

/// Makes the call and prints what it results in.
pub(crate) async fn perform<C: Calls>(caller: &Caller<C>, call: Call) -> Result<()> {
    let told = told(caller.peer());
    match call {
        Call::Put { key, value } => caller.put(key, value).await.map_err(told),
        Call::Get { key, with_version } => get(caller, key, with_version).await,
        Call::Delete { key } => match caller.delete(key).await.map_err(told)? {
            true => Ok(()),
            false => Err(Answer::new(caller.peer(), &Status::not_found("the key has no value")).into()),
        },
        Call::List { prefix, limit } => list(caller, prefix, limit).await,
        Call::Swap { key, expected, value } => {
            let version = caller.compare_and_swap(key, expected, value).await.map_err(told)?;
            print(|output| writeln!(output, "{version}"))
        }
        Call::Watch { prefix, count } => {
            // Caught before anybody is told that it listens.
            let mut signals = Signals::catch().context("cannot handle signals")?;
            tokio::select! {
                watched = watch(caller, prefix, count) => watched,
                () = signals.received() => Ok(()),
            }
        }
    }
}

async fn get<C: Calls>(caller: &Caller<C>, key: String, with_version: bool) -> Result<()> {
    if with_version {
        // A value without a version must not look like one that has one.
        caller.store().map_err(told(caller.peer()))?;
    }
    let mut value = caller.get(key).await.map_err(told(caller.peer()))?;
    if with_version {
        print(|output| writeln!(output, "{}", value.version))?;
    }
    while let Some(piece) = value.next().await {
        let piece = piece.map_err(|status| Answer::new(caller.peer(), &status))?;
        print(|output| output.write_all(&piece))?;
    }
    Ok(())
}

async fn list<C: Calls>(caller: &Caller<C>, prefix: String, limit: u64) -> Result<()> {
    let mut entries = caller.list(prefix, limit).await.map_err(told(caller.peer()))?;
    while let Some(entry) = next(caller, &mut entries).await? {
        print(|output| writeln!(output, "{}\t{}\t{}", entry.version, entry.size, Escaped::new(&entry.key)))?;
    }
    Ok(())
}

async fn watch<C: Calls>(caller: &Caller<C>, prefix: String, count: Option<u64>) -> Result<()> {
    let mut changes = caller.watch(prefix).await.map_err(told(caller.peer()))?;
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(WatchResponse { event: Some(event) }) = next(caller, &mut changes).await? else { break };
        match event {
            Event::Listening(from) => OUTPUT.warn(format_args!("listening for changes after version {}", from.version)),
            Event::Change(change) => {
                show(&change)?;
                left -= 1;
            }
        }
    }
    Ok(())
}

fn show(change: &Change) -> Result<()> {
    let kind = match change.kind() {
        Kind::Put => "put",
        Kind::Delete => "delete",
        Kind::Unspecified => "unknown",
    };
    print(|output| writeln!(output, "{kind}\t{}\t{}\t{}", change.version, change.size, Escaped::new(&change.key)))
}

async fn next<C: Calls, T>(caller: &Caller<C>, messages: &mut Streaming<T>) -> Result<Option<T>> {
    Ok(messages.message().await.map_err(|status| Answer::new(caller.peer(), &status))?)
}

/// Writes to standard output at once: what is printed may be waited for.
fn print(what: impl FnOnce(&mut io::StdoutLock<'static>) -> io::Result<()>) -> Result<()> {
    let mut output = io::stdout().lock();
    what(&mut output).and_then(|()| output.flush()).context("cannot write the result")
}
