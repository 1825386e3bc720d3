//! The application's protocol: the cookie and the versions on which the authors of host and plugins
//! have agreed.

use std::collections::BTreeSet;

/// The application's protocol, known to host and plugin.
///
/// The cookie is an environment variable from which a plugin sees that a host launched it and not a
/// person. It is public and proves nothing. The versions are those of the application's services.
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

    /// Also speaks `version`. A plugin chooses the highest common version.
    pub fn and_version(mut self, version: u32) -> Self {
        self.versions.insert(version);
        self
    }
}
