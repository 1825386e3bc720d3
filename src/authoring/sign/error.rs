//! Why a key could not be made or used, sorted by who must act: its owner, or the machine.

use std::io;
use std::path::PathBuf;

use crate::Escaped;

/// Nothing was signed, or no key was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// A key file could not be read.
    #[error("{} cannot be read", Escaped::path(path))]
    Unreadable {
        /// The file as the caller named it.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A key file is no regular file.
    #[error("{} is {kind}, not a regular file", Escaped::path(path))]
    NotRegular {
        /// The file as the caller named it.
        path: PathBuf,
        /// What it is instead.
        kind: &'static str,
    },
    /// Others than the owner may read or write the key file.
    #[error(
        "{} is open to others, its mode is {mode:04o}: make it yours alone (chmod 600), and consider whether the key is still secret",
        Escaped::path(path)
    )]
    Exposed {
        /// The file as the caller named it.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is no secret key.
    #[error("{} is no secret key, as minisign writes it", Escaped::path(path))]
    NoSecretKey {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// Deriving the key from the password would take more than minisign ever asks for.
    #[error("{} asks for more work than any key of minisign to derive it from its password", Escaped::path(path))]
    Excessive {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// The key is encrypted, and there was no password.
    #[error("{} is encrypted, and no password was given", Escaped::path(path))]
    PasswordNeeded {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// There was a password, and the key is not encrypted: not the key that was meant, perhaps.
    #[error("{} is not encrypted, and a password was given", Escaped::path(path))]
    NotEncrypted {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// The password is another one, or the file was damaged: the two cannot be told apart.
    #[error("{} does not open with this password, or is damaged", Escaped::path(path))]
    WrongPassword {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// The key does not fit together.
    #[error("{} is damaged: its parts do not belong together", Escaped::path(path))]
    Damaged {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// A password protects nothing when it is empty.
    #[error("the password is empty")]
    EmptyPassword,
    /// The password is longer than minisign takes.
    #[error("the password is longer than {limit} bytes")]
    LongPassword {
        /// The limit in bytes.
        limit: usize,
    },
    /// The password is not one line of UTF-8, so that another program would read another one.
    #[error("the password is not one line of UTF-8")]
    PasswordNotText,
    /// The password could not be read.
    #[error("the password cannot be read")]
    PasswordUnreadable(#[source] io::Error),
    /// A comment would not be read as it was written.
    #[error(
        "a comment is one line of at most {limit} bytes, without control characters and without blanks at its ends"
    )]
    Comment {
        /// The limit in bytes.
        limit: usize,
    },
    /// What was to be signed could not be read to its end.
    #[error("what was to be signed cannot be read")]
    Message(#[source] io::Error),
    /// A key file could not be written, or was there already.
    #[error("{} cannot be written", Escaped::path(path))]
    Unwritable {
        /// The file as the caller named it.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The system gave no random numbers, or what was made did not verify.
    #[error("no key or signature could be made: {reason}")]
    Machine {
        /// What the signing code said.
        reason: String,
    },
}

impl SignError {
    /// Its name for programs, in kebab-case. Stable between releases.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::NotRegular { .. } => "not-regular",
            Self::Exposed { .. } => "exposed",
            Self::NoSecretKey { .. } => "no-secret-key",
            Self::Excessive { .. } => "excessive",
            Self::PasswordNeeded { .. } => "password-needed",
            Self::NotEncrypted { .. } => "not-encrypted",
            Self::WrongPassword { .. } => "wrong-password",
            Self::Damaged { .. } => "damaged",
            Self::EmptyPassword => "empty-password",
            Self::LongPassword { .. } => "long-password",
            Self::PasswordNotText => "password-not-text",
            Self::PasswordUnreadable(_) => "password-unreadable",
            Self::Comment { .. } => "comment",
            Self::Message(_) => "message",
            Self::Unwritable { .. } => "unwritable",
            Self::Machine { .. } => "machine",
        }
    }

    /// What the crate says when nothing but the machine can be at fault.
    pub(super) fn machine(error: minisign::PError) -> Self {
        Self::Machine { reason: Escaped::new(&error.to_string()).to_string() }
    }
}
