//! `certs-tooling ca new`, `host issue`, `plugin issue` and `auto-mtls`: new keys and certificates
//! in new files. Prints no key.

use std::error::Error;
use std::path::PathBuf;

use certs_tooling::{
    AlternativeName, AutoMtls, Ca, Certificate, CommonName, Identity, KeyAlgorithm, Lifetime, Profile, Request, Role,
    Written,
};
use cli_support::{Body, Exit, OutputFormat};
use portcullis::Escaped;

/// Create a private certification authority
///
/// Writes ca.pem and ca-key.pem. The CA can issue identities for hosts and plugins, but no other
/// CAs.
///
/// Example: certs-tooling ca new --out pki --days 365
#[derive(Debug, clap::Args)]
pub(crate) struct CaArguments {
    /// Directory to write to; created if needed
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Common name of the CA, for people
    #[arg(long, value_name = "NAME", default_value = "Portcullis private CA")]
    name: CommonName,

    /// Lifetime in days: 1 to 3650
    #[arg(long, value_name = "N", default_value = "365")]
    days: Lifetime,

    /// Key algorithm: p256 or ed25519
    #[arg(long, value_name = "KIND", default_value_t)]
    key: KeyAlgorithm,

    #[command(flatten)]
    format: OutputFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct IdentityArguments {
    /// Directory with ca.pem and ca-key.pem
    #[arg(long, value_name = "DIR")]
    ca: PathBuf,

    /// Directory to write to; created if needed
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Common name of the identity, for people
    #[arg(long)]
    name: CommonName,

    /// Subject alternative name, which peers check: a host name or an IP address. May be repeated
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    san: Vec<AlternativeName>,

    /// Lifetime in days: 1 to 3650, and not beyond that of the CA
    #[arg(long, value_name = "N", default_value_t)]
    days: Lifetime,

    /// Key algorithm: p256 or ed25519
    #[arg(long, value_name = "KIND", default_value_t)]
    key: KeyAlgorithm,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn ca(arguments: &CaArguments) -> Exit {
    let made = || -> Result<(String, Body), Box<dyn Error>> {
        let ca = Ca::new(&arguments.name, arguments.days, arguments.key)?;
        Ok(written(&ca.write(&arguments.out)?, ca.certificate()))
    };
    crate::print_result(arguments.format, "ca new", made())
}

pub(crate) fn identity<R: Role>(arguments: IdentityArguments) -> Exit {
    let format = arguments.format;
    crate::print_result(format, &format!("{} issue", R::NAME), issue::<R>(arguments))
}

fn issue<R: Role>(arguments: IdentityArguments) -> Result<(String, Body), Box<dyn Error>> {
    let ca = Ca::open(&arguments.ca)?;
    let mut names = arguments.san.into_iter();
    let first = names.next().ok_or("expected at least one subject alternative name")?;
    let request = names.fold(Request::new(arguments.name, first), Request::allow_alternative_name);
    let request = request.with_lifetime(arguments.days).with_key_algorithm(arguments.key);
    let identity = Identity::<R>::issue(&request, &ca)?;
    Ok(written(&identity.write(&arguments.out)?, identity.certificate()))
}

/// The written files as text and as JSON members.
pub(crate) fn written(files: &Written, certificate: &Certificate) -> (String, Body) {
    let (path, key) = (Escaped::path(&files.certificate).to_string(), Escaped::path(&files.key).to_string());
    let sha256 = certificate.fingerprint().to_string();
    let text = format!("certificate  {path}\nkey          {key}\nsha256       {sha256}\n");
    (text, vec![("certificate", path.into()), ("key", key.into()), ("sha256", sha256.into())])
}

/// Create a certificate as hosts and plugins create one for a launch
///
/// Prints it in PEM, as a host passes it in PLUGIN_CLIENT_CERT. A plugin that is started with this
/// certificate accepts connections only from the owner of its key.
///
/// Without --out, the key is discarded. With --out, auto-mtls.pem and auto-mtls-key.pem are
/// written; anyone who can read the key can act as the peer.
///
/// Example: PLUGIN_CLIENT_CERT="$(certs-tooling auto-mtls --out launch)" ./kv
#[derive(Debug, clap::Args)]
pub(crate) struct AutoMtlsArguments {
    /// Certificate profile: portcullis or go-plugin
    #[arg(long, default_value_t)]
    profile: Profile,

    /// Directory to write to; created if needed
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Print it as the sixth field of a handshake line, instead of in PEM
    #[arg(long, conflicts_with = "json")]
    field: bool,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn auto_mtls(arguments: &AutoMtlsArguments) -> Exit {
    crate::print_result(arguments.format, "auto-mtls", make_auto_mtls(arguments))
}

fn make_auto_mtls(arguments: &AutoMtlsArguments) -> Result<(String, Body), Box<dyn Error>> {
    let made = AutoMtls::generate(arguments.profile)?;
    let (pem, field) = (made.certificate().pem(), made.certificate().handshake_field());
    let mut body: Body = vec![
        ("profile", arguments.profile.to_string().into()),
        ("plugin_client_cert", pem.clone().into()),
        ("handshake_field", field.clone().into()),
    ];
    match &arguments.out {
        Some(directory) => body.extend(written(&made.write(directory)?, made.certificate()).1),
        None => body.push(("sha256", made.certificate().fingerprint().to_string().into())),
    }
    Ok((if arguments.field { field + "\n" } else { pem }, body))
}
