//! `plugin-verify manifest`: what publishers say of plugins, written and compared. The library
//! describes and compares.

mod create;
mod verify;

use clap::Subcommand;
use cli_support::Exit;

/// Describe plugins in manifests, and compare them
///
/// A manifest names a plugin, its version and platform, and every file of it with digest and size.
/// It is worth what its signature is worth: sign it with `sign`.
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
