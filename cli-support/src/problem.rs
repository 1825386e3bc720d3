//! One refusal or failure, for people and for programs: the prose, the hint, and the values that a
//! program can compare. Decides nothing.

use std::error::Error;
use std::fmt;

use portcullis::Chain;
use serde_json::Value;

use crate::Exit;

/// Why a verb refused or failed. Foreign text in it is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    message: String,
    hint: Option<&'static str>,
}

impl Problem {
    /// A problem with nothing but its text.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), hint: None }
    }

    /// An error and its causes, from the outside in.
    pub fn of(error: &(dyn Error + '_)) -> Self {
        Self::new(Chain::of(error))
    }

    /// Adds the step that a person can take.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Option<&'static str>>) -> Self {
        self.hint = hint.into();
        self
    }

    /// The step that a person can take, if there is one.
    pub fn hint(&self) -> Option<&'static str> {
        self.hint
    }

    /// The members of a JSON object that describe the problem: the text is `reason` for a refusal
    /// and `error` for a failure.
    pub fn members(&self, exit: Exit) -> Vec<(&'static str, Value)> {
        let message = Value::from(self.message.as_str());
        match exit {
            Exit::Refused => vec![("reason", message), ("hint", self.hint.into())],
            Exit::Success | Exit::Failed => vec![("error", message)],
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for Problem {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<fmt::Arguments<'_>> for Problem {
    fn from(message: fmt::Arguments<'_>) -> Self {
        Self::new(message)
    }
}

impl From<Chain<'_>> for Problem {
    fn from(chain: Chain<'_>) -> Self {
        Self::new(chain)
    }
}
