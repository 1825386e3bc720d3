//! What the plugin answers, given to the caller when the log has it: messages after a record that
//! covers them, the end after the record of the outcome.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use tokio::time::Sleep;
use tonic::body::Body;
use tonic::{Code, Status};

use super::ongoing::{Ongoing, Outcome};
use super::scan::{Scan, TooLarge};
use super::tally::Tallying;
use super::unrecorded;
use crate::event::{RecordError, Recording};
use crate::limits::host::HELD_RESPONSE_BYTES;
use crate::timing::host::RESPONSE_COALESCE;

/// The body of an answer.
pub(super) struct Answer {
    plugin: Body,
    scan: Scan,
    /// What the headers said of the outcome.
    told: Option<Outcome>,
    /// The messages since the last record; `None` if that are all.
    since: Option<Tallying>,
    /// What the caller may have.
    free: VecDeque<Frame<Bytes>>,
    held: Held,
    patience: Option<Pin<Box<Sleep>>>,
    state: State,
}

/// What the caller may not have yet.
#[derive(Default)]
struct Held {
    /// Whole messages, but for the beginning of the first, which may have been given already.
    messages: Vec<Bytes>,
    /// The beginning of the next message.
    behind: Vec<Bytes>,
    /// The length of both.
    bytes: usize,
}

enum State {
    /// The plugin is to say more.
    Open(Ongoing),
    /// Messages are being recorded.
    Recording(Ongoing, Recording),
    /// The outcome is being recorded.
    Settling(Recording, End),
    /// What is left is to be given.
    Over(End),
}

/// What an answer ends with.
enum End {
    Nothing,
    Trailers(HeaderMap),
    Error(Status),
}

impl Answer {
    pub(super) fn new(plugin: Body, told: Option<Outcome>, ongoing: Ongoing) -> Self {
        Self {
            plugin,
            scan: Scan::up_to(ongoing.subject.layer.limit),
            told,
            since: None,
            free: VecDeque::new(),
            held: Held::default(),
            patience: None,
            state: State::Open(ongoing),
        }
    }

    /// Goes on as far as can be gone on.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let state = std::mem::replace(&mut self.state, State::Over(End::Nothing));
        let (state, poll) = match state {
            State::Open(ongoing) => self.listen(ongoing, cx),
            State::Recording(mut ongoing, mut recording) => match Pin::new(&mut recording).poll(cx) {
                Poll::Pending => (State::Recording(ongoing, recording), Poll::Pending),
                Poll::Ready(Ok(())) => {
                    self.release(&mut ongoing);
                    (State::Open(ongoing), Poll::Ready(()))
                }
                Poll::Ready(Err(error)) => (self.fail(&error), Poll::Ready(())),
            },
            State::Settling(mut settling, end) => match Pin::new(&mut settling).poll(cx) {
                Poll::Pending => (State::Settling(settling, end), Poll::Pending),
                Poll::Ready(Ok(())) => {
                    let Held { messages, .. } = std::mem::take(&mut self.held);
                    self.free.extend(messages.into_iter().map(Frame::data));
                    (State::Over(end), Poll::Ready(()))
                }
                Poll::Ready(Err(error)) => (self.fail(&error), Poll::Ready(())),
            },
            over @ State::Over(_) => (over, Poll::Ready(())),
        };
        self.state = state;
        poll
    }

    /// Takes the next of what the plugin says, or records what waits.
    fn listen(&mut self, ongoing: Ongoing, cx: &mut Context<'_>) -> (State, Poll<()>) {
        if self.held.bytes >= HELD_RESPONSE_BYTES {
            return (self.record(ongoing), Poll::Ready(()));
        }
        let state = match Pin::new(&mut self.plugin).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => self.take(frame, ongoing),
            Poll::Ready(Some(Err(status))) => self.settle(ongoing, Outcome::Broken, End::Error(status)),
            Poll::Ready(None) => self.settle(ongoing, self.told.unwrap_or(Outcome::Broken), End::Nothing),
            Poll::Pending if self.wait(cx).is_pending() => return (State::Open(ongoing), Poll::Pending),
            Poll::Pending => self.record(ongoing),
        };
        (state, Poll::Ready(()))
    }

    fn take(&mut self, frame: Frame<Bytes>, mut ongoing: Ongoing) -> State {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                let outcome = Outcome::told(&trailers).or(self.told).unwrap_or(Outcome::Broken);
                return self.settle(ongoing, outcome, End::Trailers(trailers));
            }
        };
        match self.scan.look(&data) {
            Ok(end) if ongoing.subject.layer.recorder.is_required() => self.hold(data, end, &mut ongoing),
            Ok(_) => self.give(data, &mut ongoing),
            Err(TooLarge { found }) => return self.refuse(ongoing, found),
        }
        State::Open(ongoing)
    }

    /// Keeps whole messages back, and what follows them.
    fn hold(&mut self, mut data: Bytes, end: Option<usize>, ongoing: &mut Ongoing) {
        self.held.bytes += data.len();
        if let Some(end) = end {
            let rest = data.split_off(end);
            for piece in std::mem::take(&mut self.held.behind).into_iter().chain([data]) {
                self.count(&piece, ongoing);
                self.held.messages.push(piece);
            }
            data = rest;
        }
        match (data.is_empty(), self.held.messages.is_empty()) {
            (true, _) => {}
            // The beginning of a message is no message, and whoever reads it can find it too long
            // already.
            (false, true) => {
                self.held.bytes = 0;
                self.give(data, ongoing);
            }
            (false, false) => self.held.behind.push(data),
        }
    }

    fn give(&mut self, data: Bytes, ongoing: &mut Ongoing) {
        self.count(&data, ongoing);
        self.free.push_back(Frame::data(data));
    }

    fn count(&mut self, data: &[u8], ongoing: &mut Ongoing) {
        ongoing.heard.add(data);
        if let Some(since) = &mut self.since {
            since.add(data);
        }
    }

    /// Whether it is time to record what waits, when the plugin says nothing more at the moment.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.held.messages.is_empty() {
            return Poll::Pending;
        }
        // Once messages had a record of their own it is a stream, and its end does not come with
        // them.
        if self.since.is_some() {
            return Poll::Ready(());
        }
        self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(RESPONSE_COALESCE))).as_mut().poll(cx)
    }

    fn record(&mut self, ongoing: Ongoing) -> State {
        let tally = self.since.as_ref().unwrap_or(&ongoing.heard).tally();
        self.since = Some(Tallying::new(ongoing.subject.layer.recorder.value_hasher()));
        let recording = ongoing.messages(tally);
        State::Recording(ongoing, recording)
    }

    /// Gives the caller what was kept back.
    fn release(&mut self, ongoing: &mut Ongoing) {
        let Held { messages, behind, .. } = std::mem::take(&mut self.held);
        self.free.extend(messages.into_iter().map(Frame::data));
        behind.into_iter().for_each(|piece| self.give(piece, ongoing));
    }

    fn settle(&mut self, mut ongoing: Ongoing, outcome: Outcome, end: End) -> State {
        for piece in std::mem::take(&mut self.held.behind) {
            self.count(&piece, &mut ongoing);
            self.held.messages.push(piece);
        }
        State::Settling(ongoing.settle(outcome), end)
    }

    /// Takes nothing more of an answer with a message of so many bytes.
    fn refuse(&mut self, ongoing: Ongoing, found: u64) -> State {
        ongoing.too_large(found);
        let limit = ongoing.subject.layer.limit;
        let status = Status::out_of_range(format!("a message of {found} bytes, where {limit} are allowed"));
        self.hang_up();
        self.settle(ongoing, Outcome::Status(Code::OutOfRange), End::Error(status))
    }

    fn fail(&mut self, error: &RecordError) -> State {
        self.hang_up();
        State::Over(End::Error(unrecorded(error)))
    }

    /// Forgets what the caller will not get, and lets the plugin know that nobody listens.
    fn hang_up(&mut self) {
        self.held = Held::default();
        self.plugin = Body::empty();
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some(frame) = self.free.pop_front() {
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
        self.free.is_empty() && matches!(self.state, State::Over(End::Nothing))
    }
}
