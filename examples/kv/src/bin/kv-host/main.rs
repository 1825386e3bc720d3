//! The host of the example. Verifies a plugin, launches it, and makes one call or serves many
//! callers. With `--connect` it calls a serving host instead.

mod audit;
mod cli;
mod client;
mod command;
mod error;
mod launch;
mod serve;
mod socket;
mod sources;

use std::process::ExitCode;

use anyhow::Result;
use cli_support::{Exit, Output};

use crate::cli::{Arguments, Command};
use crate::client::Client;
use crate::command::Call;
use crate::launch::{LaunchOptions, shut_down};

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
            error::exit(&error)
        }
    };
    exit.into()
}

async fn run(arguments: Arguments) -> Result<()> {
    match (arguments.command, arguments.connect) {
        (Command::Audit { command }, _) => audit::run(arguments.launch.log(), arguments.launch.data(), &command),
        (Command::Serve { socket }, _) => serve::run(arguments.launch, &socket).await,
        (Command::Call(command), Some(socket)) => {
            // Reading the value may wait for a person at the keyboard. Doing it first keeps a
            // connection from waiting too.
            let call = Call::read(command)?;
            command::perform(&Client::connect(&socket).await?, call).await
        }
        (Command::Call(command), None) => launch_and_perform(Call::read(command)?, arguments.launch).await,
    }
}

/// Launches the plugin for one call. The audit log is open before the plugin is verified, and is
/// closed after the plugin was shut down.
async fn launch_and_perform(call: Call, launch: LaunchOptions) -> Result<()> {
    let log = launch.open_log()?;
    let result = async {
        let plugin = launch.launch(&log).await?;
        let result = command::perform(&Client::to_plugin(&plugin), call).await;
        shut_down(&plugin).await;
        result
    };
    let result = result.await;
    // `and` keeps the first error: a failure to close the log must not hide why the call failed.
    result.and(audit::close(&log))
}
