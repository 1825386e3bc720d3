//! What was called, how often, and how it went. Bounded in methods and in outcomes.

use portcullis::event::{Call, Returned};

use super::bounded::Few;
use super::durations::Durations;
use super::foreign::Foreign;

/// As many methods are told apart, and outcomes of each.
const METHODS: usize = 1000;
const OUTCOMES: usize = 20;

#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) methods: Few<Foreign, Method, METHODS>,
    pub(super) begun: u64,
    /// Those with another outcome than `OK`.
    pub(super) failed: u64,
}

#[derive(Debug, Default)]
pub(super) struct Method {
    pub(super) begun: u64,
    pub(super) outcomes: Few<Foreign, u64, OUTCOMES>,
    pub(super) took: Durations,
    /// Bytes that the host sent, and that the plugin did.
    pub(super) request: u64,
    pub(super) response: u64,
}

impl Calls {
    pub(super) fn begin(&mut self, call: &Call) {
        self.begun += 1;
        self.methods.entry(Foreign::new(&call.method)).begun += 1;
    }

    pub(super) fn end(&mut self, returned: &Returned) {
        self.failed += u64::from(returned.outcome != "OK");
        let method = self.methods.entry(Foreign::new(&returned.method));
        *method.outcomes.entry(Foreign::cut(&returned.outcome, 40)) += 1;
        method.took.add(returned.took_us);
        method.request = method.request.saturating_add(returned.request.bytes);
        method.response = method.response.saturating_add(returned.response.bytes);
    }
}
