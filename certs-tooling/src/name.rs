//! The names in issued certificates, restricted to names that cannot be misread. Reads no
//! certificate.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use portcullis::Escaped;
use rcgen::SanType;

/// The longest common name (RFC 5280, appendix A.1: `ub-common-name`).
const COMMON_NAME_LIMIT: usize = 64;

/// The longest DNS name and the longest of its labels (RFC 1035, section 2.3.4, as written with
/// dots).
const DNS_NAME_LIMIT: usize = 253;
const LABEL_LIMIT: usize = 63;

/// The common name of a certificate, for people. Peers do not check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommonName(String);

impl CommonName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CommonName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.chars().count() > COMMON_NAME_LIMIT {
            return Err(NameError::TooLong { limit: COMMON_NAME_LIMIT });
        }
        if text.trim() != text || Escaped::new(text).to_string() != text {
            return Err(NameError::NotPrintable);
        }
        Ok(Self(text.to_owned()))
    }
}

/// A subject alternative name, which peers check: a DNS name or an IP address. Wildcards are not
/// supported.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlternativeName {
    /// A host name, in ASCII.
    Dns(DnsName),
    /// An address.
    Ip(IpAddr),
}

impl AlternativeName {
    pub(crate) fn san(&self) -> Result<SanType, rcgen::Error> {
        Ok(match self {
            Self::Dns(DnsName(name)) => SanType::DnsName(name.as_str().try_into()?),
            Self::Ip(address) => SanType::IpAddress(*address),
        })
    }
}

impl FromStr for AlternativeName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.parse() {
            Ok(address) => Ok(Self::Ip(address)),
            Err(_) => text.parse().map(Self::Dns),
        }
    }
}

impl fmt::Display for AlternativeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(DnsName(name)) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// A host name of letters, digits and hyphens (RFC 1123, section 2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsName(String);

impl FromStr for DnsName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > DNS_NAME_LIMIT {
            return Err(NameError::TooLong { limit: DNS_NAME_LIMIT });
        }
        let last_is_number =
            text.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
        // A name whose last label is a number is an IPv4 address to some parsers.
        if last_is_number || !text.split('.').all(is_label) {
            return Err(NameError::NotDns);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LABEL_LIMIT).contains(&label.len())
        && label.bytes().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// Why a text cannot be a name in a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty.
    #[error("the name is empty")]
    Empty,
    /// The name is too long.
    #[error("the name is longer than {limit} characters")]
    TooLong {
        /// The limit in characters.
        limit: usize,
    },
    /// A common name that is displayed differently from its characters.
    #[error("the name starts or ends with a space, or contains characters that must be escaped")]
    NotPrintable,
    /// An alternative name is neither an IP address nor a host name.
    #[error("expected an IP address, or a host name of letters, digits, hyphens and dots")]
    NotDns,
}

impl NameError {
    /// The machine-readable name. Stable across versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong { .. } => "too-long",
            Self::NotPrintable => "not-printable",
            Self::NotDns => "not-a-host-name",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_are_displayed_as_they_are() {
        for name in ["kv", "Build Host 7 (žlutá)", &"a".repeat(64), &"ž".repeat(64)] {
            assert_eq!(name.parse::<CommonName>().unwrap().as_str(), name);
        }
        for (name, error) in [
            ("", NameError::Empty),
            (&*"a".repeat(65), NameError::TooLong { limit: 64 }),
            (" kv", NameError::NotPrintable),
            ("kv\n", NameError::NotPrintable),
            ("k\u{202e}v", NameError::NotPrintable),
            ("k\\v", NameError::NotPrintable),
            ("k\0v", NameError::NotPrintable),
        ] {
            assert_eq!(name.parse::<CommonName>(), Err(error), "{name:?}");
        }
    }

    #[test]
    fn alternative_name_is_address_or_host() {
        for (text, shown) in [
            ("localhost", "localhost"),
            ("A-1.Example.org", "a-1.example.org"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("1.example", "1.example"),
        ] {
            assert_eq!(text.parse::<AlternativeName>().unwrap().to_string(), shown);
        }
        let long_label = "a".repeat(64);
        for text in [
            "*.example.org",
            "a..b",
            ".a",
            "a.",
            "-a",
            "a-",
            "a_b",
            "a b",
            "žluť",
            "1.2.3",
            "1.2.3.4.5",
            "256.0.0.1",
            "a\0b",
            "a/b",
            &long_label,
        ] {
            assert_eq!(text.parse::<AlternativeName>(), Err(NameError::NotDns), "{text:?}");
        }
        assert_eq!("".parse::<AlternativeName>(), Err(NameError::Empty));
        assert_eq!("a.".repeat(127).parse::<AlternativeName>(), Err(NameError::TooLong { limit: 253 }));
    }
}
