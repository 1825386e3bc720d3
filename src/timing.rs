//! Every timeout, pause and lifetime in this crate, one module per room. Sizes and counts are in
//! `limits.rs`.
#![allow(dead_code, reason = "a feature that is switched off leaves the times of its room unused")]

/// `audit`
pub(crate) mod audit {
    use std::time::Duration;

    /// How long the writer waits after a failure before it tries the same again, and how long
    /// records of a best-effort log may stay unsynced. Short enough for a full disk to be noticed
    /// as free again, long enough not to load a failing one.
    pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);

    /// A record is covered by a checkpoint after this time, unless the host chooses another.
    pub(crate) const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);

    /// How long closing a log waits for the sinks to take the records that are queued for them.
    pub(crate) const SINK_DRAIN: Duration = Duration::from_secs(5);

    /// How long dropping the sinks waits for their threads after the last record.
    pub(crate) const SINK_STOP: Duration = Duration::from_secs(1);

    /// How long a write to the syslog socket may block.
    pub(crate) const SYSLOG_WRITE: Duration = Duration::from_secs(5);
}

/// `authoring`
pub(crate) mod authoring {}

/// `event`
pub(crate) mod event {}

/// `fs`
pub(crate) mod fs {}

/// `handshake`
pub(crate) mod handshake {}

/// `host`
pub(crate) mod host {
    use std::time::Duration;

    /// From the call of `launch` to the plugin's first answer, unless the host sets another limit.
    /// Large plugins in Go take some seconds on a loaded machine.
    pub(crate) const DEFAULT_START_TIMEOUT: Duration = Duration::from_secs(30);

    /// A deadline for launches whose timeout is too large to add to the clock: 30 years.
    pub(crate) const FAR_FUTURE: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

    /// Until a plugin exits that closed its output or its connection: its exit status is a better
    /// reason than a closed stream.
    pub(crate) const EXIT_AFTER_CLOSE: Duration = Duration::from_millis(500);

    /// Of reading after the process ended. Data is still in its sockets, and the handshake line may
    /// be among it; a process that it left behind can hold the sockets open without limit.
    pub(crate) const READ_AFTER_EXIT: Duration = Duration::from_millis(200);

    /// Until a killed process of a failed start ends.
    pub(crate) const FAILED_START_KILL: Duration = Duration::from_secs(1);

    /// Until the record of a failed start is on disk. A disk that hangs must not block the host.
    pub(crate) const FAILURE_RECORD: Duration = Duration::from_secs(1);

    /// Until a plugin exits after SIGTERM.
    pub(crate) const SHUTDOWN_TERMINATE: Duration = Duration::from_millis(400);

    /// Until a plugin's process ends after SIGKILL.
    pub(crate) const SHUTDOWN_KILL: Duration = Duration::from_millis(400);

    /// From the first message of a response to its own record. The end of a unary response follows
    /// its message within this time, so that one record covers both.
    pub(crate) const RESPONSE_COALESCE: Duration = Duration::from_millis(2);
}

/// `inspect`
pub(crate) mod inspect {}

/// `launch`, `exec` and `environment`
pub(crate) mod launch {
    use std::time::Duration;

    /// The pause before executing a busy private copy again.
    pub(crate) const BUSY_RETRY_PAUSE: Duration = Duration::from_millis(5);

    /// How long dropping a child waits for the process that it has killed. A process nearly always
    /// ends much sooner; the reaper thread takes over the others.
    pub(crate) const DROP_WAIT: Duration = Duration::from_millis(50);

    /// How often the reaper thread checks killed processes that have not ended yet.
    pub(crate) const REAP_INTERVAL: Duration = Duration::from_millis(10);

    /// The pause between two checks whether a new process is traceable.
    pub(crate) const TRACE_CHECK_PAUSE: Duration = Duration::from_micros(200);
}

/// `machine`
pub(crate) mod machine {}

/// `plugin`
pub(crate) mod plugin {
    use std::time::Duration;

    /// How long calls may run on after the host has asked the plugin to exit. go-plugin hosts kill
    /// the plugin after two seconds.
    pub(crate) const DRAIN: Duration = Duration::from_millis(1500);
}

/// `rpc`
pub(crate) mod rpc {}

/// `tls`
pub(crate) mod tls {
    use std::time::Duration;

    /// How long before now a certificate becomes valid. Leaves room for a peer whose clock is late.
    pub(crate) const CERTIFICATE_BACKDATED: Duration = Duration::from_secs(60 * 60);

    /// How long a certificate is valid: ten years. Some peers check it. The key is destroyed with
    /// its process, long before.
    pub(crate) const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
}

/// `transport`
pub(crate) mod transport {
    use std::time::Duration;

    /// How long a host waits for the plugin's first bytes before it sends its own. Nearly all
    /// servers send theirs immediately; a server that waits for the client costs this once.
    pub(crate) const FIRST_BYTES_WAIT: Duration = Duration::from_millis(250);

    /// How long a peer may take for the TLS handshake with a plugin.
    pub(crate) const TLS_ACCEPT_TIMEOUT: Duration = Duration::from_secs(10);

    /// The pause of a plugin's accept loop after an error such as a lack of descriptors.
    pub(crate) const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(50);
}

/// `verify`
pub(crate) mod verify {
    use std::time::Duration;

    /// The pause before sealing memory is tried again.
    pub(crate) const SEAL_PAUSE: Duration = Duration::from_millis(10);
}
