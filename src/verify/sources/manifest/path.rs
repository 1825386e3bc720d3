//! The path of a file in a bundle: relative, and never outside of it. Opens nothing.

use std::borrow::Borrow;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::Escaped;
use crate::limits::sources::{BUNDLE_NAME_BYTES, BUNDLE_PATH_BYTES, BUNDLE_PATH_DEPTH};

/// A relative path of plain names: no `.`, no `..`, no empty name, no control character, not
/// absolute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundlePath(String);

impl BundlePath {
    /// The path as text, with `/` between names.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directories above the file, outermost first, without the bundle itself.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(end, _)| &self.0[..end])
    }
}

impl AsRef<Path> for BundlePath {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl Borrow<str> for BundlePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for BundlePath {
    type Err = BundlePathError;

    fn from_str(text: &str) -> Result<Self, BundlePathError> {
        let plain = |name: &str| !matches!(name, "" | "." | "..") && name.len() <= BUNDLE_NAME_BYTES;
        if text.len() > BUNDLE_PATH_BYTES || text.chars().any(char::is_control) {
            return Err(BundlePathError);
        }
        match text.split('/').all(plain) && text.split('/').count() <= BUNDLE_PATH_DEPTH {
            true => Ok(Self(text.to_owned())),
            false => Err(BundlePathError),
        }
    }
}

impl fmt::Display for BundlePath {
    /// Escaped: a name may contain characters that change how a terminal shows the line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(&self.0).fmt(f)
    }
}

/// A text is not a [`BundlePath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a path in a manifest must be relative, at most {BUNDLE_PATH_BYTES} bytes long and {BUNDLE_PATH_DEPTH} names deep, without `.`, `..`, empty names and control characters"
)]
#[non_exhaustive]
pub struct BundlePathError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leaves_the_bundle() {
        let deep = ["a"; BUNDLE_PATH_DEPTH].join("/");
        // Five names and the slashes between them.
        let longest = ["a"; 5].map(|name| name.repeat((BUNDLE_PATH_BYTES - 4) / 5)).join("/");
        let name = "a".repeat(255);
        for good in ["kv", "lib/kv.py", "a b/ž", ".hidden", "..a", &deep, &longest, &name] {
            assert_eq!(good.parse::<BundlePath>().unwrap().as_str(), good);
        }
        let deeper = ["a"; BUNDLE_PATH_DEPTH + 1].join("/");
        let longer = format!("a{longest}");
        let long = "a".repeat(256);
        for bad in ["", "/", "/a", "a/", "a//b", ".", "./a", "..", "../a", "a/..", "a/../b", "a\nb", "a\0"]
            .into_iter()
            .chain([&*deeper, &longer, &long])
        {
            assert_eq!(bad.parse::<BundlePath>(), Err(BundlePathError), "{bad:?}");
        }
    }

    #[test]
    fn directories_are_those_above_the_file() {
        let path: BundlePath = "a/b/c".parse().unwrap();
        assert_eq!(path.directories().collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!("c".parse::<BundlePath>().unwrap().directories().count(), 0);
    }
}
