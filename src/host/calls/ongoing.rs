//! A call that is in the log and whose outcome is not: whatever becomes of it, the log gets one.

use http::HeaderMap;
use tokio::time::Instant;
use tonic::{Code, Status};
use tracing::Span;

use super::CallLayer;
use super::request::Said;
use super::tally::Tallying;
use crate::event::{CallEnded, Event, LimitReached, MessageTally, MessagesReceived, Recording, Reservation};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With a status.
    Status(Code),
    /// Without an answer.
    Broken,
}

impl Outcome {
    /// What headers or trailers say.
    pub(super) fn told(headers: &HeaderMap) -> Option<Self> {
        headers.get(Status::GRPC_STATUS).map(|status| Self::Status(Code::from_bytes(status.as_bytes())))
    }

    fn name(self) -> &'static str {
        let Self::Status(code) = self else { return "broken" };
        match code {
            Code::Ok => "OK",
            Code::Cancelled => "CANCELLED",
            Code::Unknown => "UNKNOWN",
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Code::NotFound => "NOT_FOUND",
            Code::AlreadyExists => "ALREADY_EXISTS",
            Code::PermissionDenied => "PERMISSION_DENIED",
            Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Code::FailedPrecondition => "FAILED_PRECONDITION",
            Code::Aborted => "ABORTED",
            Code::OutOfRange => "OUT_OF_RANGE",
            Code::Unimplemented => "UNIMPLEMENTED",
            Code::Internal => "INTERNAL",
            Code::Unavailable => "UNAVAILABLE",
            Code::DataLoss => "DATA_LOSS",
            Code::Unauthenticated => "UNAUTHENTICATED",
        }
    }
}

/// What a call is, for its records.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) layer: CallLayer,
    pub(super) number: u64,
    pub(super) method: String,
}

impl Subject {
    pub(super) fn returned(
        &self,
        outcome: &str,
        since: Instant,
        request: MessageTally,
        response: MessageTally,
    ) -> Event {
        Event::Returned(CallEnded {
            launch: self.layer.launch,
            call: self.number,
            method: self.method.clone(),
            outcome: outcome.into(),
            took_us: u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
            request,
            response,
        })
    }
}

/// What nobody waited for.
pub(super) const ABANDONED: &str = "abandoned";

/// A call that was recorded. If it is dropped before its outcome is known, it was abandoned.
pub(super) struct Ongoing {
    pub(super) subject: Subject,
    pub(super) since: Instant,
    pub(super) said: Said,
    /// All that the plugin said.
    pub(super) heard: Tallying,
    pub(super) reservation: Option<Reservation>,
    pub(super) span: Span,
}

impl Ongoing {
    /// Records the outcome, and returns when that is on the disk.
    pub(super) fn settle(mut self, outcome: Outcome) -> Recording {
        if let Outcome::Status(code) = outcome {
            self.span.record("rpc.grpc.status_code", code as i32);
        }
        match self.reservation.take() {
            Some(reservation) => reservation.redeem(self.returned(outcome.name())),
            None => Recording::done(Ok(())),
        }
    }

    /// Records messages that the caller gets while the call goes on.
    pub(super) fn messages(&self, response: MessageTally) -> Recording {
        let event = MessagesReceived { launch: self.subject.layer.launch, call: self.subject.number, response };
        self.subject.layer.recorder.record(Event::Messages(event))
    }

    /// Records that the plugin sent a message which is too large.
    pub(super) fn too_large(&self, found: u64) {
        let CallLayer { recorder, launch, limit, .. } = &self.subject.layer;
        recorder.note(Event::Limit(LimitReached {
            launch: Some(*launch),
            call: Some(self.subject.number),
            limit: "message bytes".into(),
            allowed: *limit,
            found: Some(found),
        }));
    }

    fn returned(&self, outcome: &str) -> Event {
        self.subject.returned(outcome, self.since, self.said.tally(), self.heard.tally())
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.redeem_later(self.returned(ABANDONED));
        }
    }
}
