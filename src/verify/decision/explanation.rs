//! The details of a refusal or error beside its text: a machine name, a hint, and the two values
//! that did not match. Each type declares them in one exhaustive `match`, so that a new variant
//! does not compile without them.

/// The facts of one refusal or error, for programs and for the person who must act.
#[derive(Debug)]
pub(crate) struct Explanation {
    pub(crate) code: &'static str,
    pub(crate) hint: Option<&'static str>,
    pub(crate) expected: Option<String>,
    pub(crate) actual: Option<String>,
}

impl Explanation {
    /// `code` is in kebab-case and stable between releases.
    pub(crate) fn new(code: &'static str) -> Self {
        Self { code, hint: None, expected: None, actual: None }
    }

    /// Sets the advice for a person: one sentence.
    pub(crate) fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// For a reason inside another one, to which its hint does not apply.
    pub(crate) fn without_hint(mut self) -> Self {
        self.hint = None;
        self
    }

    pub(crate) fn expected(mut self, expected: impl ToString) -> Self {
        self.expected = Some(expected.to_string());
        self
    }

    pub(crate) fn actual(mut self, actual: impl ToString) -> Self {
        self.actual = Some(actual.to_string());
        self
    }
}

/// Gives types with a method `explanation(&self) -> Explanation` the public methods that read it.
macro_rules! explained {
    ($($type:ty),+ $(,)?) => {$(
        impl $type {
            /// Its name for programs, in kebab-case. Stable between releases.
            pub fn code(&self) -> &'static str {
                self.explanation().code
            }

            /// One sentence with advice for a person. `None` if there is no advice.
            pub fn hint(&self) -> Option<&'static str> {
                self.explanation().hint
            }

            /// The expected value, where two values were compared.
            pub fn expected(&self) -> Option<String> {
                self.explanation().expected
            }

            /// The value that was found instead, where two values were compared.
            pub fn actual(&self) -> Option<String> {
                self.explanation().actual
            }
        }
    )+};
}

pub(crate) use explained;
