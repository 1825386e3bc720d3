//! The host of the example: verifies a plugin, launches it, makes one call or serves many callers,
//! and shuts it down. Or calls one that serves.

mod audit;
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

use anyhow::Result;

use crate::caller::Caller;
use crate::cli::{Arguments, Command};
use crate::command::Call;
use crate::launch::{Launch, shut_down};

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
    match (arguments.command, arguments.connect) {
        (Command::Audit { command }, _) => audit::run(arguments.launch.audit(), arguments.launch.data(), &command),
        (Command::Serve { socket }, _) => serve::run(arguments.launch, &socket).await,
        // The value is read before anything is started: nobody should wait for a person at the
        // keyboard.
        (Command::Call(command), Some(socket)) => {
            let call = Call::read(command)?;
            command::perform(&connect::caller(&socket).await?, call).await
        }
        (Command::Call(command), None) => launch_and_perform(Call::read(command)?, arguments.launch).await,
    }
}

async fn launch_and_perform(call: Call, launch: Launch) -> Result<()> {
    let log = launch.open_log()?;
    let called = async {
        let plugin = launch.plugin(&log).await?;
        let called = command::perform(&Caller::to_plugin(&plugin), call).await;
        shut_down(&plugin).await;
        called
    };
    let called = called.await;
    // What went wrong first is what is told.
    called.and(audit::close(&log))
}
