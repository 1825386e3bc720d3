//! `plugin-verify keygen`: a new key to sign with. Signs nothing, and overwrites nothing.

use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use cli_support::{Exit, OutputFormat};
use portcullis::authoring::sign::KeyPair;
use portcullis::{Chain, Escaped};

use crate::OUTPUT;
use crate::password;

/// Make a key to sign with
///
/// Writes two files, neither of which may exist: NAME.key, the secret key, for this user alone; and
/// NAME.pub, the public key, for everybody who verifies. Both are what minisign reads and writes.
///
/// The secret key is encrypted with a password that is asked for on the terminal.
///
/// Exit status: 0 made, 2 not made.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The files to write, without .key and .pub
    #[arg(long, value_name = "NAME")]
    out: PathBuf,

    #[command(flatten)]
    password: password::PasswordSource,

    /// Do not encrypt the secret key: whoever reads the file can sign
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
        Err(error) => OUTPUT.failed("keygen", arguments.format, Chain::of(&*error)),
    }
}

fn make(arguments: &Arguments) -> Result<KeyPair, Box<dyn Error>> {
    if arguments.dangerous_unencrypted {
        return Ok(KeyPair::dangerous_generate_unencrypted()?);
    }
    Ok(KeyPair::generate(&arguments.password.new_password()?)?)
}

pub(crate) fn with_suffix(name: &OsStr, suffix: &str) -> PathBuf {
    let mut name = OsString::from(name);
    name.push(suffix);
    name.into()
}
