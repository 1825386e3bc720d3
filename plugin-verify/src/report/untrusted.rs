//! Text of a log as it stands on a page: cut, without control characters, isolated from the
//! direction of what is around it. The only way from a log onto a page.

use std::fmt;
use std::path::Path;

use maud::{Escaper, Render};
use portcullis::Escaped;

use crate::limits::report::TEXT_CHARACTERS;

/// UntrustedText text that can be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UntrustedText(String);

impl UntrustedText {
    pub(super) fn new(text: &str) -> Self {
        Self::cut(text, TEXT_CHARACTERS)
    }

    /// No more than `length` characters of it.
    pub(super) fn cut(text: &str, length: usize) -> Self {
        let end = text.char_indices().nth(length).map(|(end, _)| end);
        let mut shown = String::new();
        // Who wrote the log has escaped its texts: their backslashes stand for what was there, and
        // must not be doubled.
        for (number, piece) in text[..end.unwrap_or(text.len())].split('\\').enumerate() {
            shown.extend((number > 0).then_some('\\'));
            shown.push_str(&Escaped::new(piece).to_string());
        }
        shown.extend(end.map(|_| '…'));
        Self(shown)
    }

    pub(super) fn path(path: &Path) -> Self {
        Self::new(&Escaped::path(path).to_string())
    }

    /// The text alone, for where no element can stand.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UntrustedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Render for UntrustedText {
    /// In `bdi`: letters that are written from right to left are no control characters, and would
    /// order what stands beside them otherwise.
    fn render_to(&self, page: &mut String) {
        page.push_str("<bdi>");
        // Writing to a string does not fail.
        let _ = fmt::Write::write_str(&mut Escaper::new(page), &self.0);
        page.push_str("</bdi>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_mistaken_is_escaped_once() {
        for (text, shown) in [
            ("plain 'text'", "<bdi>plain 'text'</bdi>"),
            ("<script>&\"", "<bdi>&lt;script&gt;&amp;&quot;</bdi>"),
            ("\u{1b}[2J\n\u{202e}", r"<bdi>\u{1b}[2J\n\u{202e}</bdi>"),
            (r"was \u{1b} before", r"<bdi>was \u{1b} before</bdi>"),
            ("שלום", "<bdi>שלום</bdi>"),
        ] {
            assert_eq!(UntrustedText::new(text).render().into_string(), shown);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(UntrustedText::cut("ääää", 3).as_str(), "äää…");
        assert_eq!(UntrustedText::cut("äää", 3).as_str(), "äää");
        assert_eq!(UntrustedText::new(&"x".repeat(1 << 16)).as_str().chars().count(), TEXT_CHARACTERS + 1);
    }
}
