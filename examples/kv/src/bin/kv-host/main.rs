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
mod socket;
mod trust;

use std::process::ExitCode;

use anyhow::Result;
use cli_support::{Exit, Output};

use crate::caller::Caller;
use crate::cli::{Arguments, Command};
use crate::command::Call;
use crate::launch::{Launch, shut_down};

/// The output streams of this program.
const OUTPUT: Output = Output::of("kv-host");

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(exit) => return exit.into(),
    };
    let exit = match run(arguments).await {
        Ok(()) => Exit::Success,
        Err(error) => {
            OUTPUT.warn(format_args!("{error:#}"));
            fault::exit(&error)
        }
    };
    exit.into()
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
