//! `plugin-verify manifest`: publishers' statements about plugins, created and compared. The
//! library does both.

mod create;
mod verify;

use clap::Subcommand;
use cli_support::Exit;

/// Create manifests, and compare plugins with them
///
/// A manifest states a plugin's name, version, platform, and the digest and size of every file.
/// Unsigned, it proves nothing: sign it with `sign`.
///
/// Example: plugin-verify manifest create --version 1.2.0 ./kv
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Create(create::Arguments),
    Verify(verify::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match &arguments.verb {
        Verb::Create(arguments) => create::run(arguments),
        Verb::Verify(arguments) => verify::run(arguments),
    }
}
