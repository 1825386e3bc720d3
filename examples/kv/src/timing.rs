//! Every timeout and pause of the example, for its host and its plugin. Sizes and counts are in
//! `limits.rs`.

use std::time::Duration;

/// The time that the plugin gets to exit after it was asked to.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// The time that a serving host waits for the next message of a caller's upload. Other writers may
/// be waiting for its permit.
pub const HOST_UPLOAD_IDLE: Duration = Duration::from_secs(30);

/// The time that the plugin waits for the next message of an upload; it holds buffer memory while
/// it waits. Longer than [`HOST_UPLOAD_IDLE`], so that a serving host reports its slow caller
/// before the plugin gives up.
pub const PLUGIN_UPLOAD_IDLE: Duration = Duration::from_secs(60);

/// The time that a caller of a serving host may leave a response unread before its call fails and
/// frees its permit.
pub const RESPONSE_IDLE: Duration = Duration::from_secs(30);

/// The time that a new connection gets to send the HTTP/2 preface.
pub const PREFACE_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after accept(2) failed, for example because the process has no descriptor left.
pub const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(50);

/// The interval between HTTP/2 pings to each caller.
pub const PING_INTERVAL: Duration = Duration::from_secs(20);

/// The time that a caller gets to answer a ping before its connection is closed.
pub const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The time that running calls get to finish after a signal asked the host to stop.
pub const DRAIN: Duration = Duration::from_secs(2);

/// The time that running calls get to report their error after the plugin exited.
pub const DRAIN_WITHOUT_PLUGIN: Duration = Duration::from_millis(500);
