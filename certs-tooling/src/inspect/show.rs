//! An inspection as text, one fact to a line. Adds no facts.

use std::fmt;

use super::{Authority, Inspection, Key, SelfSigned};
use crate::validity::Shown;

impl Inspection {
    /// Start of the validity, in RFC 3339.
    pub fn not_before(&self) -> String {
        Shown(self.not_before).to_string()
    }

    /// End of the validity, in RFC 3339.
    pub fn not_after(&self) -> String {
        Shown(self.not_after).to_string()
    }
}

impl fmt::Display for Inspection {
    /// One fact to a line, indented by two spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let usages: Vec<_> = self.key_usages.iter().map(|name| (*name).to_owned()).collect();
        writeln!(f, "  subject      {}", self.subject)?;
        writeln!(f, "  issuer       {}", self.issuer)?;
        writeln!(f, "  self-signed  {}", self.self_signed)?;
        writeln!(f, "  serial       {}", self.serial)?;
        writeln!(f, "  valid        {} to {}", Shown(self.not_before), Shown(self.not_after))?;
        writeln!(f, "  names        {}", list(&self.alternative_names))?;
        writeln!(f, "  key          {}", self.key)?;
        writeln!(f, "  signature    {}", self.signature_algorithm)?;
        writeln!(f, "  usage        {}", list(&usages))?;
        writeln!(f, "  purpose      {}", list(&self.extended_key_usages))?;
        writeln!(f, "  authority    {}", self.authority)?;
        writeln!(f, "  sha256       {}", self.fingerprint)?;
        writeln!(f, "  key sha256   {}", self.key_fingerprint)?;
        self.remarks.iter().try_for_each(|remark| writeln!(f, "  remark       {remark}"))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bits {
            0 => f.write_str(&self.algorithm),
            bits => write!(f, "{}, {bits} bits", self.algorithm),
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("not a CA"),
            Self::Ca { path_length: None } => f.write_str("CA"),
            Self::Ca { path_length: Some(length) } => write!(f, "CA, at most {length} CAs below it"),
        }
    }
}

impl fmt::Display for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::Unproven => "not verifiable",
            Self::Refuted => "refuted",
        })
    }
}
