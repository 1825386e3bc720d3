//! Every timeout and delay of this program, with its reason. Waits for nothing.

use std::time::Duration;

/// A digest that takes longer than this gets a progress bar: people wonder after about half a
/// second.
pub(crate) const PROGRESS_BAR_DELAY: Duration = Duration::from_millis(500);

/// The time a probed plugin has to list its services, once it is ready.
#[cfg(feature = "probe")]
pub(crate) const LIST_SERVICES_TIMEOUT: Duration = Duration::from_secs(5);

/// The time a probed plugin has to exit after the shutdown request, before it is terminated.
#[cfg(feature = "probe")]
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// How long a probe waits for a plugin to exit after it broke off the list of its services. Within
/// this time the exit counts as the plugin's own, not as an answer to the shutdown request.
#[cfg(feature = "probe")]
pub(crate) const CRASH_WAIT: Duration = Duration::from_millis(500);
