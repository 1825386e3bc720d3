//! What a host and its plugins have agreed on in their documentation: the cookie and the versions
//! of the application's protocol.

use std::collections::BTreeSet;

/// The application's protocol, as both sides know it.
///
/// The cookie is an environment variable by which a plugin recognises that a host launched it,
/// rather than a person. It is public, and no proof of anything. The versions are those of the
/// application's own services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    pub(crate) cookie: (String, String),
    pub(crate) versions: BTreeSet<u32>,
}

impl Protocol {
    /// A protocol with one version.
    pub fn new(cookie_key: impl Into<String>, cookie_value: impl Into<String>, version: u32) -> Self {
        Self { cookie: (cookie_key.into(), cookie_value.into()), versions: BTreeSet::from([version]) }
    }

    /// Also speaks `version`. A plugin chooses the highest that both sides have.
    pub fn and_version(mut self, version: u32) -> Self {
        self.versions.insert(version);
        self
    }
}
