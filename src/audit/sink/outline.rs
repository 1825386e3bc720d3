//! What those who look at copies of records look for first: which kind, which launch, and whether
//! it is out of the ordinary.

use std::borrow::Cow;

use serde::Deserialize;

use crate::audit::record::Record;

/// Some members of an event, of whatever kind it is.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Outline<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) launch: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) plugin: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) outcome: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) verdict: Option<Cow<'a, str>>,
}

impl<'a> Outline<'a> {
    /// An event that has one of these members in another form shows none of them.
    pub(super) fn of(record: &'a Record) -> Self {
        serde_json::from_str(record.event_text()).unwrap_or_default()
    }

    /// Whether somebody should look at it: something was refused, failed, weakened or is missing.
    pub(super) fn is_grave(&self) -> bool {
        match &*self.kind {
            "launch_failed" | "limit" | "lost" | "undelivered" | "weakened" => true,
            "verification" => self.verdict.as_deref() != Some("allowed"),
            _ => false,
        }
    }
}
