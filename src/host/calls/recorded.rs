//! A call whose intent is recorded and whose outcome is not yet. Every path records one outcome,
//! drop included.

use http::HeaderMap;
use tokio::time::Instant;
use tonic::{Code, Status};
use tracing::Span;

use super::CallLayer;
use super::request::RequestTally;
use super::tally::TallyCounter;
use crate::event::{CallEnded, Event, LimitReached, MessageTally, MessagesReceived, Recording, Reservation};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The call ended with a status.
    Status(Code),
    /// The call ended without a status.
    Broken,
}

impl Outcome {
    /// The outcome in headers or trailers.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
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

/// The identity of a call, shared by its records.
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

/// The outcome of a call that its caller gave up.
pub(super) const ABANDONED: &str = "abandoned";

/// A recorded call under way. Dropping it records that the caller abandoned it.
pub(super) struct RecordedCall {
    pub(super) subject: Subject,
    pub(super) since: Instant,
    pub(super) request_tally: RequestTally,
    /// All messages of the plugin.
    pub(super) response_tally: TallyCounter,
    pub(super) reservation: Option<Reservation>,
    pub(super) span: Span,
}

impl RecordedCall {
    /// Records the outcome.
    pub(super) fn finish(mut self, outcome: Outcome) -> Recording {
        if let Outcome::Status(code) = outcome {
            self.span.record("rpc.grpc.status_code", code as i32);
        }
        match self.reservation.take() {
            Some(reservation) => reservation.redeem(self.returned(outcome.name())),
            None => Recording::done(Ok(())),
        }
    }

    /// Records messages that the caller gets before the call ends.
    pub(super) fn messages(&self, response: MessageTally) -> Recording {
        let event = MessagesReceived { launch: self.subject.layer.launch, call: self.subject.number, response };
        self.subject.layer.recorder.record(Event::Messages(event))
    }

    /// Records that the plugin sent an oversized message.
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
        self.subject.returned(outcome, self.since, self.request_tally.tally(), self.response_tally.tally())
    }
}

impl Drop for RecordedCall {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.redeem_later(self.returned(ABANDONED));
        }
    }
}
