//! A record that is being written, to be awaited or waited for; and the reservation of the record
//! that follows it. Needs no asynchronous runtime.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Event, RecordError, Recorder};

type Outcome = Result<(), RecordError>;

/// The outcome of a record, to come: a future, which a thread may also [`wait`](Self::wait) for.
#[must_use = "an action must not begin before its record is durable"]
pub struct Recording(Inner);

enum Inner {
    Done(Option<Outcome>),
    Pending(Arc<Shared>),
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    finished: Condvar,
}

#[derive(Default)]
enum State {
    #[default]
    Unwatched,
    Awaited(Waker),
    /// Instead of a future that was dropped, this handles the outcome.
    Handled(Box<dyn FnOnce(Outcome) + Send>),
    Finished(Outcome),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, outcome: Outcome) {
        // Wakers and handlers are foreign code: they run after the lock is released.
        let before = std::mem::replace(&mut *self.lock(), State::Finished(outcome.clone()));
        self.finished.notify_all();
        match before {
            State::Awaited(waker) => waker.wake(),
            State::Handled(handle) => handle(outcome),
            State::Unwatched | State::Finished(_) => {}
        }
    }
}

impl Recording {
    /// A record whose outcome is known already. Allocates nothing.
    pub fn done(outcome: Result<(), RecordError>) -> Self {
        Self(Inner::Done(Some(outcome)))
    }

    /// A record that is being written, and the value that reports its outcome.
    pub fn pending() -> (Acknowledgement, Self) {
        let shared = Arc::<Shared>::default();
        (Acknowledgement(Some(Arc::clone(&shared))), Self(Inner::Pending(shared)))
    }

    /// Blocks until the outcome is known. Not for asynchronous code.
    ///
    /// # Errors
    ///
    /// When the event was not recorded.
    pub fn wait(self) -> Result<(), RecordError> {
        match self.0 {
            Inner::Done(outcome) => outcome.unwrap_or_else(|| Err(lost())),
            Inner::Pending(shared) => {
                let mut state = shared.lock();
                loop {
                    if let State::Finished(outcome) = &*state {
                        return outcome.clone();
                    }
                    state = shared.finished.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Hands the outcome to `handle`, now or when it is known.
    fn then(self, handle: impl FnOnce(Outcome) + Send + 'static) {
        let outcome = match self.0 {
            Inner::Done(outcome) => outcome.unwrap_or_else(|| Err(lost())),
            Inner::Pending(shared) => {
                let mut state = shared.lock();
                match &*state {
                    State::Finished(outcome) => outcome.clone(),
                    _ => {
                        *state = State::Handled(Box::new(handle));
                        return;
                    }
                }
            }
        };
        handle(outcome);
    }
}

impl Future for Recording {
    type Output = Result<(), RecordError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Inner::Done(outcome) => Poll::Ready(outcome.take().unwrap_or_else(|| Err(lost()))),
            Inner::Pending(shared) => {
                let mut state = shared.lock();
                if let State::Finished(outcome) = &*state {
                    return Poll::Ready(outcome.clone());
                }
                *state = State::Awaited(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").finish_non_exhaustive()
    }
}

fn lost() -> RecordError {
    RecordError::new("the recorder dropped the event without an outcome")
}

/// Reports the outcome of a record. Dropping it reports a failure.
#[must_use = "dropping it reports that the event was not recorded"]
pub struct Acknowledgement(Option<Arc<Shared>>);

impl Acknowledgement {
    /// Reports the outcome.
    pub fn report(mut self, outcome: Result<(), RecordError>) {
        if let Some(shared) = self.0.take() {
            shared.finish(outcome);
        }
    }
}

impl Drop for Acknowledgement {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.finish(Err(lost()));
        }
    }
}

impl fmt::Debug for Acknowledgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acknowledgement").finish_non_exhaustive()
    }
}

/// Capacity of a recorder for the record of an outcome. Dropping it records the outcome that was
/// given for that case, or gives the capacity back.
#[must_use = "dropping it records that the action was given up"]
pub struct Reservation {
    recorder: Arc<dyn Recorder>,
    if_dropped: Option<Event>,
    is_open: bool,
}

impl Reservation {
    /// Records `intent`; the reservation is the result when that is durable. Dropped from then on,
    /// or while the record of the intent is being written and succeeds later, it records
    /// `if_dropped`.
    ///
    /// # Errors
    ///
    /// When the intent was not recorded. The action must not begin.
    pub async fn new(
        recorder: &Arc<dyn Recorder>,
        intent: Event,
        if_dropped: impl Into<Option<Event>>,
    ) -> Result<Self, RecordError> {
        let recording = Some(recorder.reserve(intent));
        let reservation = Self { recorder: Arc::clone(recorder), if_dropped: if_dropped.into(), is_open: true };
        Reserving { recording, reservation: Some(reservation) }.await
    }

    /// Replaces the event that is recorded if this is dropped.
    pub fn or(mut self, if_dropped: Event) -> Self {
        self.if_dropped = Some(if_dropped);
        self
    }

    /// Records the outcome.
    ///
    /// # Errors
    ///
    /// When it could not be written yet. The recorder keeps it, and writes it when it can.
    pub fn redeem(mut self, outcome: Event) -> Recording {
        self.is_open = false;
        self.recorder.redeem(outcome)
    }

    /// Records the outcome when it can be. Does not wait.
    pub fn redeem_later(mut self, outcome: Event) {
        self.is_open = false;
        self.recorder.redeem_later(outcome);
    }

    /// Ends a reservation that the recorder never made.
    fn disarm(mut self) {
        self.is_open = false;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        match (self.is_open, self.if_dropped.take()) {
            (true, Some(event)) => self.recorder.redeem_later(event),
            (true, None) => self.recorder.release(),
            (false, _) => {}
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("if_dropped", &self.if_dropped).finish_non_exhaustive()
    }
}

/// A reservation whose intent is being recorded.
struct Reserving {
    recording: Option<Recording>,
    reservation: Option<Reservation>,
}

impl Future for Reserving {
    type Output = Result<Reservation, RecordError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(recording) = &mut self.recording else { return Poll::Ready(Err(lost())) };
        let outcome = std::task::ready!(Pin::new(recording).poll(cx));
        self.recording = None;
        Poll::Ready(match (outcome, self.reservation.take()) {
            (Ok(()), reservation) => reservation.ok_or_else(lost),
            (Err(error), reservation) => {
                if let Some(reservation) = reservation {
                    reservation.disarm();
                }
                Err(error)
            }
        })
    }
}

impl Drop for Reserving {
    fn drop(&mut self) {
        // Only a record that is written reserves capacity: whether there is some to redeem is known
        // when the recorder reports, not now.
        if let (Some(recording), Some(reservation)) = (self.recording.take(), self.reservation.take()) {
            recording.then(move |outcome| match outcome {
                Ok(()) => drop(reservation),
                Err(_) => reservation.disarm(),
            });
        }
    }
}
