//! The source of a password: the terminal or a file. Stores and prints none.

use std::io;
use std::path::{Path, PathBuf};

use portcullis::authoring::sign::{Password, SignError};

/// The source of a secret key's password.
#[derive(Debug, clap::Args)]
pub(crate) struct PasswordSource {
    /// Read the password from FILE instead of the terminal; - is standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Why there is no password.
#[derive(Debug)]
pub(crate) enum PasswordError {
    NoTerminal(io::Error),
    Differ,
    Unfit(SignError),
}

impl PasswordSource {
    /// The password of an existing key.
    pub(crate) fn existing(&self) -> Result<Password, PasswordError> {
        match &self.password_file {
            Some(path) => read(path),
            None => ask("Password: "),
        }
    }

    /// The password of a new key. On a terminal it is asked for twice, because typing is not
    /// echoed.
    pub(crate) fn new_password(&self) -> Result<Password, PasswordError> {
        let Some(path) = &self.password_file else {
            let password = ask("Password for the new key: ")?;
            return if ask("Repeat the password: ")? == password { Ok(password) } else { Err(PasswordError::Differ) };
        };
        read(path)
    }

    /// Whether a password source was named, even though the key may need none.
    pub(crate) fn is_named(&self) -> bool {
        self.password_file.is_some()
    }
}

fn read(path: &Path) -> Result<Password, PasswordError> {
    let password =
        if path.as_os_str() == "-" { Password::from_reader(io::stdin().lock()) } else { Password::read(path) };
    password.map_err(PasswordError::Unfit)
}

fn ask(prompt: &str) -> Result<Password, PasswordError> {
    let typed = rpassword::prompt_password(prompt).map_err(PasswordError::NoTerminal)?;
    Password::new(typed).map_err(PasswordError::Unfit)
}

impl std::fmt::Display for PasswordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoTerminal(_) => {
                f.write_str("there is no terminal to ask for a password; name a file with --password-file")
            }
            Self::Differ => f.write_str("the passwords differ"),
            Self::Unfit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PasswordError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoTerminal(error) => Some(error),
            Self::Differ => None,
            Self::Unfit(error) => error.source(),
        }
    }
}
