//! One refusal or failure, for people and for programs: its text and hint, its code, and the two
//! values that did not match. Decides nothing.

use std::error::Error;
use std::fmt;
use std::io;

use portcullis::Chain;
use portcullis::authoring::{CandidateError, Difference, LockRefusal, LockWriteError, ManifestError};
use portcullis::verify::{Refusal, SourceError, VerifyError};
use serde_json::{Map, Value};

use crate::Exit;

/// Why a verb refused or failed. Foreign text in it is escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    message: String,
    explanation: Explanation,
}

/// The facts beside the text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Explanation {
    code: String,
    hint: Option<&'static str>,
    expected: Option<String>,
    actual: Option<String>,
}

impl Problem {
    /// A problem with its code, a kebab-case name for programs, and its text.
    pub fn new(code: &str, message: impl fmt::Display) -> Self {
        let explanation = Explanation { code: code.to_owned(), ..Explanation::default() };
        Self { message: message.to_string(), explanation }
    }

    /// An error with all its causes in the text, from the outside in.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        Self { message: Chain::of(error).to_string(), explanation: Explanation::of(error) }
    }

    /// A refusal: its text already includes those of its causes.
    pub fn refusal(error: &(dyn Error + 'static)) -> Self {
        Self { message: error.to_string(), explanation: Explanation::of(error) }
    }

    /// Puts `context` and a colon before the text.
    #[must_use]
    pub fn within(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Replaces the code.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        code.clone_into(&mut self.explanation.code);
        self
    }

    /// Adds the step that a person can take, unless there is one already.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Option<&'static str>>) -> Self {
        self.explanation.hint = self.explanation.hint.or(hint.into());
        self
    }

    /// Adds the two values that did not match.
    #[must_use]
    pub fn with_values(mut self, expected: impl fmt::Display, actual: impl fmt::Display) -> Self {
        self.explanation.expected = Some(expected.to_string());
        self.explanation.actual = Some(actual.to_string());
        self
    }

    /// The step that a person can take, if there is one.
    pub fn hint(&self) -> Option<&'static str> {
        self.explanation.hint
    }

    /// The same members as a separate JSON object.
    pub fn object(&self, exit: Exit) -> Map<String, Value> {
        self.members(exit).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The members of a JSON object that describe the problem. The text is `reason` for a refusal
    /// and `error` for a failure; `code`, `expected`, `actual` and `hint` are always there.
    pub fn members(&self, exit: Exit) -> Vec<(&'static str, Value)> {
        let text = if exit == Exit::Refused { "reason" } else { "error" };
        let Explanation { code, hint, expected, actual } = self.explanation.clone();
        vec![
            (text, self.message.as_str().into()),
            ("code", code.into()),
            ("expected", expected.into()),
            ("actual", actual.into()),
            ("hint", hint.into()),
        ]
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Explanation {
    /// The explanation by the outermost error of the chain that has one, or else the kind of its
    /// I/O error.
    fn of(error: &(dyn Error + 'static)) -> Self {
        let chain = std::iter::successors(Some(error), |&error| error.source());
        chain
            .clone()
            .find_map(Self::by_library)
            .or_else(|| chain.into_iter().find_map(Self::by_system))
            .unwrap_or_else(|| Self { code: "failed".into(), ..Self::default() })
    }

    fn by_library(error: &(dyn Error + 'static)) -> Option<Self> {
        macro_rules! first_of {
            ($($type:ty),+ $(,)?) => {
                $(if let Some(error) = error.downcast_ref::<$type>() {
                    return Some(Self {
                        code: error.code().to_owned(),
                        hint: error.hint(),
                        expected: error.expected(),
                        actual: error.actual(),
                    });
                })+
            };
        }
        #[cfg(feature = "host")]
        first_of!(portcullis::Error);
        first_of!(VerifyError, Refusal, SourceError, CandidateError, LockRefusal, LockWriteError, ManifestError);
        None
    }

    /// `NotFound` as `not-found`: the code of an error that only the operating system explains.
    fn by_system(error: &(dyn Error + 'static)) -> Option<Self> {
        let kind = format!("{:?}", error.downcast_ref::<io::Error>()?.kind());
        let mut code = String::new();
        for (at, character) in kind.char_indices() {
            if at > 0 && character.is_ascii_uppercase() {
                code.push('-');
            }
            code.push(character.to_ascii_lowercase());
        }
        Some(Self { code, ..Self::default() })
    }
}

/// A difference is not an error, but has the same facts.
impl From<&Difference> for Problem {
    fn from(difference: &Difference) -> Self {
        let explanation = Explanation {
            code: difference.code().to_owned(),
            hint: difference.hint(),
            expected: difference.expected(),
            actual: difference.actual(),
        };
        Self { message: difference.to_string(), explanation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(problem: &Problem, exit: Exit, name: &str) -> Value {
        problem
            .members(exit)
            .into_iter()
            .find(|(member, _)| *member == name)
            .map(|(_, value)| value)
            .unwrap_or_default()
    }

    #[test]
    fn io_error_is_coded_by_its_kind() {
        let problem = Problem::of(&io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(member(&problem, Exit::Failed, "code"), "not-found");
        assert_eq!(member(&problem, Exit::Failed, "expected"), Value::Null);
    }

    #[test]
    fn refusal_carries_code_and_hint() {
        let problem = Problem::refusal(&Refusal::Unnamed);
        assert_eq!(member(&problem, Exit::Refused, "code"), Refusal::Unnamed.code());
        assert_eq!(member(&problem, Exit::Refused, "reason"), Refusal::Unnamed.to_string());
        assert_eq!(problem.hint(), Refusal::Unnamed.hint());
    }

    #[test]
    fn text_is_reason_or_error_by_exit() {
        let problem = Problem::new("too-large", "it is too large").with_values(3, 5).within("log");
        assert_eq!(member(&problem, Exit::Failed, "error"), "log: it is too large");
        assert_eq!(member(&problem, Exit::Refused, "reason"), "log: it is too large");
        assert_eq!(member(&problem, Exit::Refused, "actual"), "5");
    }
}
