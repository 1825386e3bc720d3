//! What a call is about, for whoever stands between its caller and the channel. Plain values; does nothing with them.

use std::fmt;

use bytes::Bytes;

/// The arguments of one call by their names: an extension of its request. Names are `key`, `value` and `prefix`.
///
/// A value that is sent in pieces is not among them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Arguments(Vec<(&'static str, Bytes)>);

impl Arguments {
    /// No arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    pub fn with(mut self, name: &'static str, value: impl Into<Bytes>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// All of them, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Bytes)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

impl fmt::Debug for Arguments {
    /// Their names and sizes: values are for who asked for them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = self.0.iter().map(|(name, value)| (name, format!("{} bytes", value.len())));
        f.debug_map().entries(sizes).finish()
    }
}
