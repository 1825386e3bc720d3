//! How long each step of a start took: facts for people. Decides nothing; the deadline of a start
//! is kept elsewhere.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// How long the steps of a start took, each counted from the end of the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timings {
    /// From the call of `launch` to the start of the process: identity, private directory, clone
    /// and exec.
    pub process: Duration,
    /// Until its handshake line was complete.
    pub handshake_line: Duration,
    /// Until the host was connected to the right process.
    pub connection: Duration,
    /// Until both ends had proven who they are.
    pub tls: Duration,
    /// Until HTTP/2 was spoken.
    pub http2: Duration,
    /// Until the plugin said that it is serving.
    pub health: Duration,
}

impl Timings {
    /// From the call of `launch` to the plugin's first answer.
    pub fn total(&self) -> Duration {
        self.steps().iter().map(|(_, duration)| *duration).sum()
    }

    /// The steps in their order, under the names that they are shown by.
    pub fn steps(&self) -> [(&'static str, Duration); 6] {
        [
            ("process", self.process),
            ("handshake line", self.handshake_line),
            ("connection", self.connection),
            ("TLS", self.tls),
            ("HTTP/2", self.http2),
            ("health", self.health),
        ]
    }
}

impl fmt::Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1?}:", self.total())?;
        for (index, (name, duration)) in self.steps().into_iter().enumerate() {
            write!(f, "{} {name} {duration:.1?}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Measures one step after the other, without gaps.
#[derive(Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    pub(super) fn started_at(start: Instant) -> Self {
        Self(start)
    }

    /// The time since the last step ended; the next begins now.
    pub(super) fn step(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.0, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_displayed_in_order_and_add_up() {
        let millis = Duration::from_millis;
        let timings = Timings {
            process: millis(3),
            handshake_line: millis(1200),
            connection: Duration::from_micros(90),
            tls: millis(2),
            http2: millis(1),
            health: millis(4),
        };
        assert_eq!(timings.total(), Duration::from_micros(1_210_090));
        assert_eq!(
            timings.to_string(),
            "1.2s: process 3.0ms, handshake line 1.2s, connection 90.0µs, TLS 2.0ms, HTTP/2 1.0ms, health 4.0ms"
        );
    }
}
