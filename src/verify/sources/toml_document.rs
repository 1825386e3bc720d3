//! The TOML of manifests, lock files and policies: each names its format, and each fault names its
//! line. Knows none of the three.

use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use crate::limits::sources::{FORMAT_CHARACTERS, TOML_FREE_WEIGHT, TOML_MESSAGE_CHARACTERS, TOML_STRING_BYTES};
use crate::verify::sources::document::Document;
use crate::verify::{SourceError, SourceFault, Version};

/// Reads a document whose `format` is `format`.
pub(crate) fn read<T: DeserializeOwned>(document: &Document, format: &'static str) -> Result<T, SourceError> {
    /// Read first, so that the error for a document of another kind is about its format, not about
    /// unknown keys.
    #[derive(serde::Deserialize)]
    struct Header {
        format: toml::Spanned<String>,
    }
    let text = document.text()?;
    if text.trim().is_empty() {
        return Err(document.fault(None, SourceFault::Empty));
    }
    if is_too_complex(text) {
        return Err(document.fault(None, SourceFault::TooComplex));
    }
    let header: Header = parse(document, text)?;
    if header.format.get_ref() != format {
        let found = header.format.get_ref().chars().take(FORMAT_CHARACTERS).collect();
        let line = document.line_of(header.format.span().start);
        return Err(document.fault(Some(line), SourceFault::Format { expected: format, found }));
    }
    parse(document, text)
}

/// Whether a text has more structure than content. Two bytes can create a table, and a table takes
/// a kilobyte of memory before its key is checked, so a small file could exhaust the memory. The
/// densest valid documents stay below this bound.
fn is_too_complex(text: &str) -> bool {
    let weight = |kind| match kind {
        // Each part of a dotted key but the last creates a table.
        TokenKind::LeftCurlyBracket | TokenKind::Dot => 3,
        TokenKind::LeftSquareBracket | TokenKind::Comma | TokenKind::Equals => 1,
        _ => 0,
    };
    Source::new(text).lex().map(|token| weight(token.kind())).sum::<usize>() > TOML_FREE_WEIGHT + text.len() / 8
}

fn parse<T: DeserializeOwned>(document: &Document, text: &str) -> Result<T, SourceError> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| document.line_of(span.start));
        let message = error.message().chars().take(TOML_MESSAGE_CHARACTERS).collect();
        document.fault(line, SourceFault::Toml { message })
    })
}

/// Parses a TOML string with `FromStr`, for `#[serde(deserialize_with)]` and implementations of
/// `Deserialize`.
pub(crate) fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
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
            if text.len() > TOML_STRING_BYTES {
                return Err(E::custom(format_args!("longer than {TOML_STRING_BYTES} bytes")));
            }
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text(std::marker::PhantomData)).map_err(D::Error::custom)
}

/// A version in a TOML string of bounded length. `semver` itself has no bound.
#[derive(serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct RawVersion(#[serde(deserialize_with = "from_text")] pub(crate) Version);

/// Implements `Deserialize` for types that TOML has as strings.
macro_rules! deserialize_from_text {
    ($($type:ty),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::verify::sources::toml_document::from_text(deserializer)
            }
        }
    )+};
}

deserialize_from_text!(
    crate::verify::BundlePath,
    crate::Digest,
    crate::verify::Platform,
    crate::verify::PluginName,
    crate::verify::PublicKey
);

/// A TOML string, in quotation marks.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use crate::verify::{Lock, Manifest, Policy, SourceFault};

    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn overly_nested_toml_is_rejected_before_parsing() {
        let list = |element: &str| format!("x = [{}]", element.repeat(9000));
        for body in [
            list("1,"),
            list("[],"),
            list("{},"),
            list("{a=1},"),
            list("{a.b.c.d.e=1},"),
            "[[a]]\n".repeat(5000),
            "=\n".repeat(9000),
            format!("a{} = 1", ".a".repeat(5000)),
        ] {
            let text = format!("format = \"portcullis-lock/1\"\n{body}");
            let fault = Lock::from_bytes("x", text).unwrap_err().fault;
            assert!(matches!(fault, SourceFault::TooComplex), "{:.60}: {fault}", body);
        }
    }

    #[test]
    fn overlong_version_is_rejected() {
        let lock = |length: usize| {
            let version = format!("1.0.0-{}", "a".repeat(length - 6));
            format!(
                "format = \"portcullis-lock/1\"\n[[plugin]]\nname = \"a\"\nversion = \"{version}\"\n\
                 [[plugin.artifact]]\nplatform = \"any\"\nsha256 = \"{DIGEST}\"\n"
            )
        };
        Lock::from_bytes("x", lock(1024)).unwrap();
        let error = Lock::from_bytes("x", lock(1025)).unwrap_err().to_string();
        assert!(error.starts_with("x:4: longer than 1024 bytes"), "{error}");
    }

    #[test]
    fn densest_valid_documents_are_read() {
        let some = 0..10_000;
        let mut lock = "format = \"portcullis-lock/1\"\n".to_owned();
        let artifact = format!("[[plugin.artifact]]\nplatform=\"any\"\nsha256=\"{DIGEST}\"\n");
        some.clone().for_each(|n| lock += &format!("[[plugin]]\nname=\"{n}\"\n{artifact}"));
        assert_eq!(Lock::from_bytes("x", lock).unwrap().plugins().len(), some.len());

        let head =
            "format = \"portcullis-manifest/1\"\nname=\"a\"\nversion=\"1.0.0\"\nplatform=\"any\"\nprogram=\"1\"\n";
        let mut manifest = format!("{head}file=[");
        some.clone().for_each(|n| manifest += &format!("{{path=\"{n}\",sha256=\"{DIGEST}\",size=0,executable=true}},"));
        assert_eq!(Manifest::from_bytes("x", manifest + "]").unwrap().files().len(), some.len());

        let mut policy =
            format!("format = \"portcullis-policy/1\"\ndirectory=\"/a\"\nallow=[\"{DIGEST}\"]\n[minimum-version]\n");
        some.for_each(|n| policy += &format!("{n}=\"1.0.0\"\n"));
        Policy::check_bytes("x", policy).unwrap();
    }
}
