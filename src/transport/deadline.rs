//! The deadline of a call, from the `grpc-timeout` header ("gRPC over HTTP/2", section "Requests").
//! Covers the whole response, its last message included.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::HeaderMap;
#[cfg(feature = "host")]
use tokio::time::Instant;
use tokio::time::Sleep;
use tonic::Status;

const TIMEOUT_HEADER: &str = "grpc-timeout";

/// The time at which a call fails, if it has one.
#[derive(Debug, Default)]
pub(super) struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    /// Starts the timeout in `headers`. Without a valid one there is no deadline. Call it within a
    /// runtime with time.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let timeout = headers.get(TIMEOUT_HEADER).and_then(|value| parse(value.as_bytes()));
        Self(timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout))))
    }

    /// Ready, with the status of the call, when the deadline has passed.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        match &mut self.0 {
            None => Poll::Pending,
            Some(sleep) => {
                ready!(sleep.as_mut().poll(cx));
                Poll::Ready(late())
            }
        }
    }

    /// Fails if the deadline has passed. For a caller that does not wait, so that no timer wakes
    /// it.
    #[cfg(feature = "host")]
    pub(super) fn check(&self) -> Result<(), Status> {
        match &self.0 {
            Some(sleep) if sleep.deadline() <= Instant::now() => Err(late()),
            _ => Ok(()),
        }
    }
}

fn late() -> Status {
    Status::deadline_exceeded("the plugin did not answer before the caller's deadline")
}

/// At most eight digits and a unit, as the specification of gRPC has it.
fn parse(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(number * 60 * 60),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_parse_in_every_unit() {
        for (text, seconds) in
            [("2H", 7200.0), ("3M", 180.0), ("99999999S", 99_999_999.0), ("5m", 5e-3), ("6u", 6e-6), ("7n", 7e-9)]
        {
            assert_eq!(parse(text.as_bytes()), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    #[test]
    fn malformed_timeouts_are_ignored() {
        for text in ["", "S", "1", "1s", "-1S", "+1S", " 1S", "1 S", "123456789S", "1.5S", "\u{661}S"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
