//! `certs-tooling auto-mtls`: the certificate of one launch, for looking at a launch by hand.
//! Launches nothing.

use std::error::Error;
use std::path::PathBuf;

use certs_tooling::{AutoMtls, Profile};
use cli_support::{Body, Exit, OutputFormat};

use crate::issue;

/// Make a certificate as hosts and plugins make one for a launch
///
/// Prints it in PEM, as a host puts it into PLUGIN_CLIENT_CERT: PLUGIN_CLIENT_CERT="$(certs-tooling
/// auto-mtls --out DIR)" starts a plugin that talks TLS with the key in DIR and with nobody else.
///
/// Without --out the key is forgotten. With it auto-mtls.pem and auto-mtls-key.pem are written;
/// whoever can read the key is the peer.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Whose certificate: portcullis, or go-plugin
    #[arg(long, default_value_t)]
    profile: Profile,

    /// The directory to write to; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Print it as the sixth field of a handshake line
    #[arg(long, conflicts_with = "json")]
    field: bool,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    crate::print_result(arguments.format, "auto-mtls", make(arguments))
}

fn make(arguments: &Arguments) -> Result<(String, Body), Box<dyn Error>> {
    let made = AutoMtls::generate(arguments.profile)?;
    let (pem, field) = (made.certificate().pem(), made.certificate().handshake_field());
    let mut body: Body = vec![
        ("profile", arguments.profile.to_string().into()),
        ("plugin_client_cert", pem.clone().into()),
        ("handshake_field", field.clone().into()),
    ];
    match &arguments.out {
        Some(directory) => body.extend(issue::written(&made.write(directory)?, made.certificate()).1),
        None => body.push(("sha256", made.certificate().fingerprint().to_string().into())),
    }
    Ok((if arguments.field { field + "\n" } else { pem }, body))
}
