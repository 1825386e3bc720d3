//! How long a caller waits for the whole of an answer, as it has told the plugin (gRPC over HTTP/2,
//! "Timeout").

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::HeaderMap;
#[cfg(feature = "host")]
use tokio::time::Instant;
use tokio::time::Sleep;
use tonic::Status;

const TIMEOUT: &str = "grpc-timeout";

/// The moment at which a call has failed, if there is one.
#[derive(Debug, Default)]
pub(super) struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    /// Counts from now. To be called within a runtime that has time, if the headers have any.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let timeout = headers.get(TIMEOUT).and_then(|value| parse(value.as_bytes()));
        Self(timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout))))
    }

    /// Ready when it is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        match &mut self.0 {
            None => Poll::Pending,
            Some(sleep) => {
                ready!(sleep.as_mut().poll(cx));
                Poll::Ready(late())
            }
        }
    }

    /// Whether it is over, for who has something to do and does not wait.
    #[cfg(feature = "host")]
    pub(super) fn check(&self) -> Result<(), Status> {
        match &self.0 {
            Some(sleep) if sleep.deadline() <= Instant::now() => Err(late()),
            _ => Ok(()),
        }
    }
}

fn late() -> Status {
    Status::deadline_exceeded("the plugin did not answer in the time that the caller gave it")
}

/// At most eight digits and a unit.
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
    fn a_timeout_is_read_in_every_unit() {
        for (text, seconds) in
            [("2H", 7200.0), ("3M", 180.0), ("99999999S", 99_999_999.0), ("5m", 5e-3), ("6u", 6e-6), ("7n", 7e-9)]
        {
            assert_eq!(parse(text.as_bytes()), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_timeout_is_none() {
        for text in ["", "S", "1", "1s", "-1S", "+1S", " 1S", "1 S", "123456789S", "1.5S", "\u{661}S"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
