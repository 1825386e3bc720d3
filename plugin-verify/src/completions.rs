//! `plugin-verify completions`: scripts that complete this command line, made from it. Installs
//! nothing.

use clap_complete::{Shell, generate};
use cli_support::{Exit, OutputFormat};

use crate::OUTPUT;
use crate::cli;

/// Print a script that completes this command line in a shell
///
/// Where the shell looks for it is the shell's to say: bash takes it from
/// ~/.local/share/bash-completion/completions/plugin-verify, fish from
/// ~/.config/fish/completions/plugin-verify.fish, zsh from a file _plugin-verify in a directory of
/// its fpath.
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
        // clap_complete 4.6 writes the dash of the program's name in two ways, and then finds no
        // verb (clap-rs/clap#6421).
        Shell::Bash => script.replace("plugin__subcmd__verify", "plugin__verify"),
        _ => script,
    }
}
