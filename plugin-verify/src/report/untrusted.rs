//! Text from a log, made safe for a page: cut, escaped, and isolated in its direction. The only way
//! from a log onto a page.

use std::fmt;
use std::path::Path;

use maud::{Escaper, Render};
use portcullis::Escaped;

use crate::limits::report::TEXT_CHARACTERS;

/// Text from a log that is safe to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UntrustedText(String);

impl UntrustedText {
    pub(super) fn new(text: &str) -> Self {
        Self::cut(text, TEXT_CHARACTERS)
    }

    /// At most `length` characters of the text.
    pub(super) fn cut(text: &str, length: usize) -> Self {
        let end = text.char_indices().nth(length).map(|(end, _)| end);
        let mut shown = String::new();
        // The writer of the log has already escaped its texts, so their backslashes must not be
        // escaped again.
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

    /// The bare text, where no element is allowed.
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
    /// In `bdi`: right-to-left letters are not control characters, but would reorder the text
    /// beside them.
    fn render_to(&self, page: &mut String) {
        page.push_str("<bdi>");
        // Writing to a String cannot fail.
        let _ = fmt::Write::write_str(&mut Escaper::new(page), &self.0);
        page.push_str("</bdi>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_controls_are_escaped_once() {
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
    fn long_text_is_cut_between_characters() {
        assert_eq!(UntrustedText::cut("ääää", 3).as_str(), "äää…");
        assert_eq!(UntrustedText::cut("äää", 3).as_str(), "äää");
        assert_eq!(UntrustedText::new(&"x".repeat(1 << 16)).as_str().chars().count(), TEXT_CHARACTERS + 1);
    }
}
