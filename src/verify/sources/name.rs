//! Names of plugins and platforms: short words that are safe to print. Checks no file.

use std::fmt;
use std::str::FromStr;

use crate::limits::sources::{PLATFORM_WORD_BYTES, PLUGIN_NAME_BYTES};

/// The name of a plugin: 1 to 64 ASCII letters, digits, `.`, `_` and `-`, the first a letter or a
/// digit.
///
/// ```
/// use portcullis::verify::PluginName;
/// assert!("kv-plugin".parse::<PluginName>().is_ok());
/// assert!("../kv".parse::<PluginName>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginName(String);

impl PluginName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PluginName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        match text.as_bytes() {
            [first, ..]
                if first.is_ascii_alphanumeric() && text.len() <= PLUGIN_NAME_BYTES && text.bytes().all(fine) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(NameError),
        }
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a [`PluginName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a plugin name has 1 to 64 letters, digits, dots, underscores and dashes, and begins with a letter or digit")]
#[non_exhaustive]
pub struct NameError;

/// The platform that a plugin is built for: an operating system and an architecture such as
/// `linux-x86_64`, or `any`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform(String);

impl Platform {
    /// The platform of this process.
    pub fn current() -> Self {
        Self(format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH))
    }

    /// The platform of plugins that run everywhere, such as scripts.
    pub fn any() -> Self {
        Self("any".to_owned())
    }

    /// Whether a plugin for this platform runs on `machine`.
    pub fn runs_on(&self, machine: &Self) -> bool {
        *self == Self::any() || self == machine
    }

    /// Whether the operating system is Linux.
    pub(crate) fn is_linux(&self) -> bool {
        self.0.starts_with("linux-")
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let word = |word: &str| {
            (1..=PLATFORM_WORD_BYTES).contains(&word.len())
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        match text.split_once('-') {
            Some((system, architecture)) if word(system) && word(architecture) => Ok(Self(text.to_owned())),
            None if text == "any" => Ok(Self::any()),
            _ => Err(PlatformError),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a [`Platform`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a platform is an operating system and an architecture, such as linux-x86_64, or any")]
#[non_exhaustive]
pub struct PlatformError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugin_name_is_a_short_plain_word() {
        let longest = "a".repeat(PLUGIN_NAME_BYTES);
        for good in ["kv", "kv-plugin_2.0", "7zip", &longest] {
            assert_eq!(good.parse::<PluginName>().unwrap().as_str(), good);
        }
        for bad in ["", ".", "..", "-kv", "_kv", "a/b", "a b", "a\n", "žluť", "a\0", &"a".repeat(PLUGIN_NAME_BYTES + 1)]
        {
            assert_eq!(bad.parse::<PluginName>(), Err(NameError), "{bad:?}");
        }
    }

    #[test]
    fn platform_is_two_words_or_any() {
        let here = Platform::current();
        assert_eq!(here.to_string().parse(), Ok(here.clone()));
        assert!(here.runs_on(&here) && Platform::any().runs_on(&here));
        let other: Platform = "plan9-vax".parse().unwrap();
        assert!(!other.runs_on(&here) && !here.runs_on(&other));
        assert!(here.is_linux() && !other.is_linux() && !Platform::any().is_linux());
        for bad in ["", "linux", "linux-", "-x86_64", "Linux-x86_64", "linux-x86-64", "any-", "linux-x86_64\n"] {
            assert_eq!(bad.parse::<Platform>(), Err(PlatformError), "{bad:?}");
        }
    }
}
