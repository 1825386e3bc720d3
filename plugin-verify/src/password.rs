//! Where a password comes from: the terminal, or a file. Keeps none, and shows none.

use std::io;
use std::path::{Path, PathBuf};

use portcullis::authoring::sign::{Password, SignError};

/// Where to read the password of a secret key.
#[derive(Debug, clap::Args)]
pub(crate) struct PasswordSource {
    /// Read the password from FILE, not from the terminal; - is standard input
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
    /// The password of a key that exists.
    pub(crate) fn existing(&self) -> Result<Password, PasswordError> {
        match &self.password_file {
            Some(path) => read(path),
            None => ask("Password: "),
        }
    }

    /// The password of a key that is about to be made: asked for twice, because nobody sees what is
    /// typed.
    pub(crate) fn new_password(&self) -> Result<Password, PasswordError> {
        let Some(path) = &self.password_file else {
            let password = ask("Password for the new key: ")?;
            return if ask("The same again: ")? == password { Ok(password) } else { Err(PasswordError::Differ) };
        };
        read(path)
    }

    /// Whether a password was named for a key that may need none.
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
            Self::NoTerminal(_) => f.write_str("no password can be asked for here, name a file with --password-file"),
            Self::Differ => f.write_str("the two passwords differ"),
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
