//! The arguments of a call, as the application names them, for the record of the call. The record
//! has keyed hashes of the values. Hashes nothing itself.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::Escaped;
use crate::event::{KeyedHash, Recorder};
use crate::limits::host::{ARGUMENT_NAME_BYTES, CALL_ARGUMENTS};

/// The arguments of a call that the application wants to find in the log later. Put them into the
/// extensions of a request: the record of the call has their names and keyed hashes of their
/// values. The plugin does not receive them.
///
/// ```
/// use portcullis::host::Arguments;
///
/// let arguments = Arguments::new().with("key", "db/password")?.with("user", "alice")?;
/// // request.extensions_mut().insert(arguments);
/// # Ok::<(), portcullis::host::ArgumentsError>(())
/// ```
///
/// The log has the names in plain text, so they must not be secrets; values are wiped when this is
/// dropped.
#[derive(Clone, Default)]
pub struct Arguments(BTreeMap<String, Zeroizing<Vec<u8>>>);

impl Arguments {
    /// No argument.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an argument.
    ///
    /// # Errors
    ///
    /// When the name is empty, longer than 64 bytes, has anything but ASCII letters, digits, `.`,
    /// `_` and `-` or was given already; when it is the 33rd.
    pub fn with(mut self, name: impl Into<String>, value: impl AsRef<[u8]>) -> Result<Self, ArgumentsError> {
        let name = name.into();
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > ARGUMENT_NAME_BYTES || !name.bytes().all(fine) {
            return Err(ArgumentsError::Name { name: name.chars().take(ARGUMENT_NAME_BYTES).collect() });
        }
        if self.0.contains_key(&name) {
            return Err(ArgumentsError::Twice { name });
        }
        if self.0.len() == CALL_ARGUMENTS {
            return Err(ArgumentsError::TooMany);
        }
        self.0.insert(name, Zeroizing::new(value.as_ref().to_vec()));
        Ok(self)
    }

    /// The names, with the recorder's keyed hashes of the values. Empty if it computes none.
    pub(super) fn keyed_hashes(&self, recorder: &dyn Recorder) -> BTreeMap<String, KeyedHash> {
        self.0.iter().filter_map(|(name, value)| Some((name.clone(), recorder.keyed_hash(value)?))).collect()
    }
}

/// Values may be secret, so only names are shown.
impl fmt::Debug for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// An argument cannot be recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentsError {
    /// Its name is none.
    #[error(
        "{:?} cannot be the name of an argument: it must be 1 to {ARGUMENT_NAME_BYTES} ASCII letters, digits, '.', '_' and '-'",
        Escaped::new(name)
    )]
    #[non_exhaustive]
    Name {
        /// The name, cut after 64 characters.
        name: String,
    },
    /// The name was given before.
    #[error("the argument {name} is there already")]
    #[non_exhaustive]
    Twice {
        /// The name.
        name: String,
    },
    /// There are too many.
    #[error("a call has at most {CALL_ARGUMENTS} arguments")]
    TooMany,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::calls::tests::scripted::{Bench, keyed_hash};

    #[test]
    fn argument_is_name_and_keyed_hash() {
        let arguments = Arguments::new().with("key", "value").unwrap().with("empty", []).unwrap();
        let hidden = arguments.keyed_hashes(&*Bench::new().log);
        let expected = [("empty", keyed_hash(b"")), ("key", keyed_hash(b"value"))];
        assert_eq!(hidden, expected.map(|(name, hash)| (name.to_owned(), hash)).into());
    }

    #[test]
    fn names_are_bounded_and_plain() {
        let longest = "n".repeat(ARGUMENT_NAME_BYTES);
        assert!(Arguments::new().with(&*longest, "").is_ok());
        for name in ["", "two words", "line\n", "ä", &format!("{longest}n")] {
            let refused = Arguments::new().with(name, "").unwrap_err();
            assert!(matches!(refused, ArgumentsError::Name { .. }), "{name:?}");
        }
        let twice = Arguments::new().with("a", "1").unwrap().with("a", "2");
        assert_eq!(twice.unwrap_err(), ArgumentsError::Twice { name: "a".into() });
    }

    #[test]
    fn number_of_entries_is_limited() {
        let full = (0..CALL_ARGUMENTS).fold(Arguments::new(), |all, number| all.with(number.to_string(), "").unwrap());
        assert_eq!(full.with("another", "").unwrap_err(), ArgumentsError::TooMany);
    }

    #[test]
    fn values_are_not_shown() {
        let arguments = Arguments::new().with("token", "hunter2").unwrap();
        assert_eq!(format!("{arguments:?}"), r#"{"token"}"#);
    }
}
