//! TOML as manifests, lock files and policies have it: the first line says which of them it is, and every fault has a line.

use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};

use super::document::Document;
use super::{SourceError, SourceFault};

/// How much of a parser's message is kept: it may quote the document.
const MESSAGE: usize = 300;

/// Reads a document whose `format` is `format`.
pub(super) fn read<T: DeserializeOwned>(document: &Document, format: &'static str) -> Result<T, SourceError> {
    /// Read alone first: a document of another kind is told to be that, and not to have unknown keys.
    #[derive(serde::Deserialize)]
    struct Header {
        format: toml::Spanned<String>,
    }
    let text = document.text()?;
    if text.trim().is_empty() {
        return Err(document.fault(None, SourceFault::Empty));
    }
    let header: Header = parse(document, text)?;
    if header.format.get_ref() != format {
        let found = header.format.get_ref().chars().take(64).collect();
        let line = document.line_of(header.format.span().start);
        return Err(document.fault(Some(line), SourceFault::Format { expected: format, found }));
    }
    parse(document, text)
}

fn parse<T: DeserializeOwned>(document: &Document, text: &str) -> Result<T, SourceError> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| document.line_of(span.start));
        let message = error.message().chars().take(MESSAGE).collect();
        document.fault(line, SourceFault::Toml { message })
    })
}

/// A value that is written as a string, for `#[serde(deserialize_with)]` and implementations of `Deserialize`.
pub(super) fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    struct Text<T>(std::marker::PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text(std::marker::PhantomData)).map_err(D::Error::custom)
}

/// `Deserialize` for types that are written as strings.
macro_rules! written_as_text {
    ($($type:ty),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::verify::form::from_text(deserializer)
            }
        }
    )+};
}

written_as_text!(super::BundlePath, super::Digest, super::Platform, super::PluginName, super::PublicKey);

/// A string as TOML writes it, in quotation marks.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
