//! `plugin-verify completions`: shell completion scripts, generated from the command line. Installs
//! nothing.

use clap_complete::{Shell, generate};
use cli_support::{Exit, OutputFormat};

use crate::OUTPUT;
use crate::cli;

/// Print a shell completion script
///
/// Install it where the shell looks for it: bash
/// ~/.local/share/bash-completion/completions/plugin-verify, fish
/// ~/.config/fish/completions/plugin-verify.fish, zsh a file named _plugin-verify in a directory of
/// fpath.
///
/// Example: plugin-verify completions bash >
/// ~/.local/share/bash-completion/completions/plugin-verify
///
/// Exit status: 0 printed, 2 not printed.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    format: OutputFormat,

    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let script = script(arguments.shell);
    if arguments.format.json {
        let body = [("shell", arguments.shell.to_string().into()), ("script", script.into())];
        return OUTPUT.json("completions", Exit::Success, body);
    }
    OUTPUT.print(script, Exit::Success)
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut cli::command(), "plugin-verify", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        // clap_complete 4.6 spells the dash of the program's name in two ways, and so completes no
        // verb (clap-rs/clap#6421).
        Shell::Bash => script.replace("plugin__subcmd__verify", "plugin__verify"),
        _ => script,
    }
}
