//! `plugin-verify keygen`: a new key pair. Signs nothing.

use std::error::Error;
use std::path::PathBuf;

use cli_support::{Exit, OutputFormat};
use portcullis::Escaped;
use portcullis::authoring::sign::KeyPair;

use crate::OUTPUT;
use crate::files::with_suffix;
use crate::{password, sign};

/// Create a key pair for signing manifests
///
/// Writes NAME.key, the secret key, readable only by this user, and NAME.pub, the public key.
/// Existing files are never replaced. The secret key is encrypted with a password; both files are
/// in the format of minisign.
///
/// Example: plugin-verify keygen --out release
///
/// Exit status: 0 created, 2 not created.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files to write, without .key and .pub
    #[arg(long, value_name = "NAME")]
    out: PathBuf,

    #[command(flatten)]
    password: password::PasswordSource,

    /// Leave the secret key unencrypted: anyone who can read the file can sign
    #[arg(long, conflicts_with = "password_file")]
    dangerous_unencrypted: bool,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let secret = with_suffix(arguments.out.as_os_str(), ".key");
    let public = with_suffix(arguments.out.as_os_str(), ".pub");
    let made = make(arguments).and_then(|pair| Ok(pair.write_new(&secret, &public).map(|()| pair)?));
    match made {
        Ok(pair) if arguments.format.json => OUTPUT.json(
            "keygen",
            Exit::Success,
            [
                ("key_id", pair.public_key().id().to_string().into()),
                ("public_key", pair.public_key().to_string().into()),
                ("public_key_file", Escaped::path(&public).to_string().into()),
                ("secret_key_file", Escaped::path(&secret).to_string().into()),
            ],
        ),
        Ok(pair) => {
            let key = pair.public_key();
            let (secret, public) = (Escaped::path(&secret), Escaped::path(&public));
            let text = format!("key    {}\npublic {key}\n       in {public}\nsecret in {secret}\n", key.id());
            OUTPUT.print(text, Exit::Success)
        }
        Err(error) => OUTPUT.failed("keygen", arguments.format, &sign::problem(&*error)),
    }
}

fn make(arguments: &Arguments) -> Result<KeyPair, Box<dyn Error>> {
    if arguments.dangerous_unencrypted {
        return Ok(KeyPair::dangerous_generate_unencrypted()?);
    }
    Ok(KeyPair::generate(&arguments.password.new_password()?)?)
}
