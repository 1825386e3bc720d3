//! Why a key or signature could not be made, sorted by who must act: the owner of the key, or the
//! administrator of the machine.

use std::io;
use std::path::PathBuf;

use crate::Escaped;

/// Why nothing was signed, or no key was created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// A key file could not be read.
    #[error("cannot read {}", Escaped::path(path))]
    Unreadable {
        /// The file as the caller named it.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A key file is not a regular file.
    #[error("{} is {kind}, expected a regular file", Escaped::path(path))]
    NotRegular {
        /// The file as the caller named it.
        path: PathBuf,
        /// Its type, with an article.
        kind: &'static str,
    },
    /// The mode of the key file lets the group or everyone else read or write it.
    #[error(
        "{} has mode {mode:04o}, expected 0600 or stricter: run chmod 600, and consider whether the key is still secret",
        Escaped::path(path)
    )]
    Exposed {
        /// The file as the caller named it.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not contain a secret key.
    #[error("{} is not a secret key in the format of minisign", Escaped::path(path))]
    NoSecretKey {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// The key file asks for more work or memory than minisign ever does.
    #[error(
        "{} asks for more work or memory to derive the key from the password than minisign ever does",
        Escaped::path(path)
    )]
    Excessive {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// The key is encrypted, and no password was given.
    #[error("{} is encrypted, but no password was given", Escaped::path(path))]
    PasswordNeeded {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// A password was given, and the key is not encrypted: perhaps it is the wrong key.
    #[error("{} is not encrypted, but a password was given", Escaped::path(path))]
    NotEncrypted {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// The password is wrong or the file is damaged. The format does not distinguish the two.
    #[error("cannot decrypt {}: the password is wrong or the file is damaged", Escaped::path(path))]
    WrongPassword {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// The parts of the key do not match.
    #[error("{} is damaged: its checksum or public key does not match", Escaped::path(path))]
    Damaged {
        /// The file as the caller named it.
        path: PathBuf,
    },
    /// The password is empty.
    #[error("the password is empty")]
    EmptyPassword,
    /// The password is longer than minisign accepts.
    #[error("the password is longer than {limit} bytes")]
    LongPassword {
        /// The limit in bytes.
        limit: usize,
    },
    /// The password is not one line of UTF-8. Another program would read another password.
    #[error("the password is not one line of UTF-8")]
    PasswordNotText,
    /// The password could not be read.
    #[error("cannot read the password")]
    PasswordUnreadable(#[source] io::Error),
    /// A verifier would not read the comment as it was written.
    #[error(
        "a comment must be one line of at most {limit} bytes, without control characters and without blanks at its ends"
    )]
    Comment {
        /// The limit in bytes.
        limit: usize,
    },
    /// The message could not be read to its end.
    #[error("cannot read the message")]
    Message(#[source] io::Error),
    /// A key file could not be written, or exists already.
    #[error("cannot write {}", Escaped::path(path))]
    Unwritable {
        /// The file as the caller named it.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The system has no random numbers, or a new signature did not verify.
    #[error("cannot create a key or signature: {reason}")]
    Machine {
        /// The message of the signing code.
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

    /// An error of the crate `minisign` where only the machine can be at fault.
    pub(super) fn machine(error: minisign::PError) -> Self {
        Self::Machine { reason: Escaped::new(&error.to_string()).to_string() }
    }
}
