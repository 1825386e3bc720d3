//! The host of the example: verifies a plugin, launches it, makes one call or serves many callers, and shuts it down. Or calls one that serves.

mod caller;
mod cli;
mod command;
mod connect;
mod fault;
mod launch;
mod serve;
mod signals;
mod socket;
mod trust;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use portcullis::host::Plugin;

use crate::caller::{Caller, Peer};
use crate::cli::{Arguments, Command};
use crate::command::Call;
use crate::launch::Launch;
use crate::socket::Socket;

/// How long a plugin may take to exit when it is asked.
const GRACE: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::read()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kv-host: {error:#}");
            ExitCode::from(fault::status(&error))
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    // What can be read or refused comes first: nobody should wait for a person at the keyboard, or start for nothing.
    match (arguments.command, arguments.connect) {
        (Command::Serve { socket }, _) => {
            let socket = Socket::bind(&socket)?;
            let plugin = arguments.launch.plugin().await?;
            let served = serve::run(&caller(&plugin), &plugin, socket).await;
            plugin.shutdown(GRACE).await;
            served
        }
        (Command::Call(command), Some(socket)) => {
            let call = Call::read(command)?;
            command::perform(&connect::caller(&socket).await?, call).await
        }
        (Command::Call(command), None) => perform(Call::read(command)?, arguments.launch).await,
    }
}

async fn perform(call: Call, launch: Launch) -> Result<()> {
    let plugin = launch.plugin().await?;
    let called = command::perform(&caller(&plugin), call).await;
    plugin.shutdown(GRACE).await;
    called
}

fn caller(plugin: &Plugin) -> Caller<tonic::transport::Channel> {
    Caller::new(plugin.channel(), plugin.version(), Peer::Plugin)
}
