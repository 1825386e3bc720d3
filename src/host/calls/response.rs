//! The response of a plugin, held back until it is recorded: messages until a record covers them,
//! the end until the outcome is recorded. A state machine:
//!
//! ```text
//! Open ──messages wait──▶ Recording ──durable──▶ Open
//!   └───end or failure──▶ Finishing ──durable──▶ Over
//! ```
//!
//! A record that fails ends the response with an error, and the caller never gets the held
//! messages.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use tokio::time::Sleep;
use tonic::body::Body;
use tonic::{Code, Status};

use super::not_recorded;
use super::recorded::{Outcome, RecordedCall};
use super::scan::{FrameScanner, TooLarge};
use super::tally::TallyCounter;
use crate::event::{RecordError, Recording};
use crate::limits::host::HELD_RESPONSE_BYTES;
use crate::timing::host::RESPONSE_COALESCE;

/// The response body for the caller.
pub(super) struct ResponseBody {
    plugin: Body,
    scan: FrameScanner,
    /// The outcome in the headers, if there is one: trailers override it.
    header_outcome: Option<Outcome>,
    /// The messages since the last record. `None` before the first record, when these are all.
    since: Option<TallyCounter>,
    /// Frames that are ready for the caller.
    ready_frames: VecDeque<Frame<Bytes>>,
    held: Held,
    coalesce: Option<Pin<Box<Sleep>>>,
    state: State,
}

/// Bytes that the caller must not get yet.
#[derive(Default)]
struct Held {
    /// Whole messages. The beginning of the first may have been delivered already.
    messages: Vec<Bytes>,
    /// The incomplete message behind them.
    behind: Vec<Bytes>,
    /// The bytes of both.
    bytes: usize,
}

enum State {
    /// Reading from the plugin.
    Open(RecordedCall),
    /// Waiting for a record of messages.
    Recording(RecordedCall, Recording),
    /// Waiting for the record of the outcome.
    Finishing(Recording, End),
    /// Delivering the rest.
    Over(End),
}

/// The end of a response.
enum End {
    Nothing,
    Trailers(HeaderMap),
    Error(Status),
}

impl ResponseBody {
    pub(super) fn new(plugin: Body, header_outcome: Option<Outcome>, call: RecordedCall) -> Self {
        Self {
            plugin,
            scan: FrameScanner::up_to(call.subject.layer.limit),
            header_outcome,
            since: None,
            ready_frames: VecDeque::new(),
            held: Held::default(),
            coalesce: None,
            state: State::Open(call),
        }
    }

    /// Makes one transition, if one is possible.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The state is moved out, because each transition consumes it. If a transition panics, the
        // response is over, which is the safe state.
        let state = std::mem::replace(&mut self.state, State::Over(End::Nothing));
        let (state, poll) = match state {
            State::Open(call) => self.read(call, cx),
            State::Recording(mut call, mut recording) => match Pin::new(&mut recording).poll(cx) {
                Poll::Pending => (State::Recording(call, recording), Poll::Pending),
                Poll::Ready(Ok(())) => {
                    self.release(&mut call);
                    (State::Open(call), Poll::Ready(()))
                }
                Poll::Ready(Err(error)) => (self.fail(&error), Poll::Ready(())),
            },
            State::Finishing(mut finishing, end) => match Pin::new(&mut finishing).poll(cx) {
                Poll::Pending => (State::Finishing(finishing, end), Poll::Pending),
                Poll::Ready(Ok(())) => {
                    let Held { messages, .. } = std::mem::take(&mut self.held);
                    self.ready_frames.extend(messages.into_iter().map(Frame::data));
                    (State::Over(end), Poll::Ready(()))
                }
                Poll::Ready(Err(error)) => (self.fail(&error), Poll::Ready(())),
            },
            over @ State::Over(_) => (over, Poll::Ready(())),
        };
        self.state = state;
        poll
    }

    /// Reads the next frame, or starts a record of the messages that wait.
    fn read(&mut self, call: RecordedCall, cx: &mut Context<'_>) -> (State, Poll<()>) {
        if self.held.bytes >= HELD_RESPONSE_BYTES {
            return (self.record(call), Poll::Ready(()));
        }
        let state = match Pin::new(&mut self.plugin).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => self.take(frame, call),
            Poll::Ready(Some(Err(status))) => self.finish(call, Outcome::Broken, End::Error(status)),
            Poll::Ready(None) => self.finish(call, self.header_outcome.unwrap_or(Outcome::Broken), End::Nothing),
            Poll::Pending if self.wait(cx).is_pending() => return (State::Open(call), Poll::Pending),
            Poll::Pending => self.record(call),
        };
        (state, Poll::Ready(()))
    }

    fn take(&mut self, frame: Frame<Bytes>, mut call: RecordedCall) -> State {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                let outcome = Outcome::of(&trailers).or(self.header_outcome).unwrap_or(Outcome::Broken);
                return self.finish(call, outcome, End::Trailers(trailers));
            }
        };
        match self.scan.scan(&data) {
            Ok(end) if call.subject.layer.recorder.is_required() => self.hold(data, end, &mut call),
            Ok(_) => self.deliver(data, &mut call),
            Err(TooLarge { found }) => return self.refuse(call, found),
        }
        State::Open(call)
    }

    /// Holds whole messages back, and the bytes behind them.
    fn hold(&mut self, mut data: Bytes, end: Option<usize>, call: &mut RecordedCall) {
        self.held.bytes += data.len();
        if let Some(end) = end {
            let rest = data.split_off(end);
            for piece in std::mem::take(&mut self.held.behind).into_iter().chain([data]) {
                self.count(&piece, call);
                self.held.messages.push(piece);
            }
            data = rest;
        }
        match (data.is_empty(), self.held.messages.is_empty()) {
            (true, _) => {}
            // The beginning of a message is not a message yet. Delivered early, it lets the
            // caller's decoder reject an oversized message, and this need not buffer it.
            (false, true) => {
                self.held.bytes = 0;
                self.deliver(data, call);
            }
            (false, false) => self.held.behind.push(data),
        }
    }

    fn deliver(&mut self, data: Bytes, call: &mut RecordedCall) {
        self.count(&data, call);
        self.ready_frames.push_back(Frame::data(data));
    }

    fn count(&mut self, data: &[u8], call: &mut RecordedCall) {
        call.response_tally.add(data);
        if let Some(since) = &mut self.since {
            since.add(data);
        }
    }

    /// Ready when the held messages should be recorded although the plugin is silent.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.held.messages.is_empty() {
            return Poll::Pending;
        }
        // A response that had a record of messages before is a stream: its end will not follow
        // soon, so waiting would only delay the messages.
        if self.since.is_some() {
            return Poll::Ready(());
        }
        self.coalesce.get_or_insert_with(|| Box::pin(tokio::time::sleep(RESPONSE_COALESCE))).as_mut().poll(cx)
    }

    fn record(&mut self, call: RecordedCall) -> State {
        let tally = self.since.as_ref().unwrap_or(&call.response_tally).tally();
        self.since = Some(TallyCounter::new(call.subject.layer.recorder.value_hasher()));
        let recording = call.messages(tally);
        State::Recording(call, recording)
    }

    /// Delivers the held messages, which are recorded now.
    fn release(&mut self, call: &mut RecordedCall) {
        let Held { messages, behind, .. } = std::mem::take(&mut self.held);
        self.ready_frames.extend(messages.into_iter().map(Frame::data));
        behind.into_iter().for_each(|piece| self.deliver(piece, call));
    }

    fn finish(&mut self, mut call: RecordedCall, outcome: Outcome, end: End) -> State {
        for piece in std::mem::take(&mut self.held.behind) {
            self.count(&piece, &mut call);
            self.held.messages.push(piece);
        }
        State::Finishing(call.finish(outcome), end)
    }

    /// Ends a response that contains a message of `found` bytes.
    fn refuse(&mut self, call: RecordedCall, found: u64) -> State {
        call.too_large(found);
        let limit = call.subject.layer.limit;
        let status =
            Status::out_of_range(format!("the plugin sent a message of {found} bytes, expected at most {limit}"));
        self.cancel();
        self.finish(call, Outcome::Status(Code::OutOfRange), End::Error(status))
    }

    fn fail(&mut self, error: &RecordError) -> State {
        self.cancel();
        State::Over(End::Error(not_recorded(error)))
    }

    /// Drops the held bytes and the plugin's stream, which resets it (RFC 9113, section 5.4.2).
    fn cancel(&mut self) {
        self.held = Held::default();
        self.plugin = Body::empty();
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some(frame) = self.ready_frames.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if let State::Over(end) = &mut self.state {
                return Poll::Ready(match std::mem::replace(end, End::Nothing) {
                    End::Nothing => None,
                    End::Trailers(trailers) => Some(Ok(Frame::trailers(trailers))),
                    End::Error(status) => Some(Err(status)),
                });
            }
            ready!(self.advance(cx));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ready_frames.is_empty() && matches!(self.state, State::Over(End::Nothing))
    }
}
