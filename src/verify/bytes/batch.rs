//! The digests of many files, computed in parallel and delivered in the order of the inputs. Judges
//! nothing.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::fs::Advice;

use crate::Digest;
use crate::fs::{RegularFileError, Symlinks, open_regular};

/// The source of the bytes of one digest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Input {
    /// A file, which may be a pipe or a device.
    File(PathBuf),
    /// The standard input of this process.
    StandardInput,
}

/// Computes the digests of all `inputs`, with one thread per processor and in memory independent of
/// their sizes.
///
/// `deliver` gets the results in order, on the caller's thread. If it breaks, reading stops and no
/// further result is delivered. `progress` gets the number of bytes after each read, on any thread.
///
/// Only regular files are read ahead. Reading a pipe or a device can have effects, so those are
/// read one after another, when it is their turn.
pub fn digest_all(
    inputs: &[Input],
    progress: &(impl Fn(u64) + Sync),
    mut deliver: impl FnMut(&Input, io::Result<Digest>) -> ControlFlow<()>,
) {
    let batch =
        Batch { inputs, progress, state: Mutex::default(), finished: Condvar::new(), stopped: AtomicBool::new(false) };
    thread::scope(|scope| {
        // Stops the other threads even if `deliver` panics.
        let _stop = Stop(&batch.stopped);
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(inputs.len());
        // A thread that fails to start is not needed: the caller's thread reads every input that no
        // other thread has taken.
        (1..=threads).filter(|_| threads > 1).for_each(|_| {
            let _ = thread::Builder::new().spawn_scoped(scope, || batch.work());
        });
        for (index, input) in inputs.iter().enumerate() {
            let result = match batch.wait(index) {
                Some(HashOutcome::Done(result)) => result,
                Some(HashOutcome::InTurn) | None => batch.read(input),
            };
            if deliver(input, result).is_break() {
                break;
            }
        }
    });
}

struct Batch<'a, P> {
    inputs: &'a [Input],
    progress: &'a P,
    state: Mutex<BatchState>,
    finished: Condvar,
    stopped: AtomicBool,
}

#[derive(Default)]
struct BatchState {
    /// The first input that no thread has taken.
    next: usize,
    /// The results that wait for their turn.
    outcomes: HashMap<usize, HashOutcome>,
}

enum HashOutcome {
    Done(io::Result<Digest>),
    /// Not a regular file: the caller reads it when it is its turn.
    InTurn,
}

impl<P: Fn(u64) + Sync> Batch<'_, P> {
    fn work(&self) {
        while let Some((index, input)) = self.take() {
            let outcome = self.read_ahead(input);
            self.lock().outcomes.insert(index, outcome);
            self.finished.notify_all();
        }
    }

    fn take(&self) -> Option<(usize, &Input)> {
        let mut state = self.lock();
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let index = state.next;
        let input = self.inputs.get(index)?;
        state.next += 1;
        Some((index, input))
    }

    /// Waits for the result of the input whose turn it is. `None` if no thread has taken it; it
    /// then belongs to the caller.
    fn wait(&self, index: usize) -> Option<HashOutcome> {
        let mut state = self.lock();
        loop {
            if let Some(outcome) = state.outcomes.remove(&index) {
                return Some(outcome);
            }
            if state.next <= index {
                state.next = index + 1;
                return None;
            }
            state = self.finished.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn read_ahead(&self, input: &Input) -> HashOutcome {
        let Input::File(path) = input else { return HashOutcome::InTurn };
        match open_regular(path, Symlinks::Follow) {
            Ok(file) => HashOutcome::Done(self.hash_file(file)),
            Err(RegularFileError::NotRegular { .. }) => HashOutcome::InTurn,
            Err(RegularFileError::Io(error)) => HashOutcome::Done(Err(error)),
        }
    }

    fn read(&self, input: &Input) -> io::Result<Digest> {
        match input {
            Input::File(path) => self.hash_file(File::open(path)?),
            Input::StandardInput => self.hash(io::stdin().lock()),
        }
    }

    fn hash_file(&self, file: File) -> io::Result<Digest> {
        // Doubles the kernel's read-ahead (posix_fadvise(2)). A reading thread of our own was not
        // faster. A failure only costs speed.
        let _ = rustix::fs::fadvise(&file, 0, None, Advice::Sequential);
        self.hash(file)
    }

    fn hash(&self, mut reader: impl Read) -> io::Result<Digest> {
        let hashed = Digest::stream(|buffer, _| {
            if self.stopped.load(Ordering::Relaxed) {
                return Err(io::Error::other("hashing was stopped"));
            }
            let length = reader.read(buffer)?;
            (self.progress)(length as u64);
            Ok(length)
        });
        hashed.map(|(digest, _)| digest)
    }

    /// Ignores poisoning: no code panics between two changes of the state.
    fn lock(&self) -> MutexGuard<'_, BatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::sync::mpsc;

    use rustix::fs::{CWD, FileType, Mode};

    use super::*;

    fn digests(inputs: &[Input]) -> Vec<Result<Digest, io::ErrorKind>> {
        let mut digests = Vec::new();
        digest_all(inputs, &|_| (), |input, result| {
            assert_eq!(input, &inputs[digests.len()]);
            digests.push(result.map_err(|error| error.kind()));
            ControlFlow::Continue(())
        });
        digests
    }

    #[test]
    fn results_keep_the_order_of_inputs() {
        let place = tempfile::tempdir().unwrap();
        let mut inputs = Vec::new();
        let mut expected = Vec::new();
        for number in 0..300_usize {
            // The first is by far the largest, so the others are finished before it.
            let content = if number == 0 { vec![0; 20_000_000] } else { vec![1; number] };
            let path = place.path().join(number.to_string());
            std::fs::write(&path, &content).unwrap();
            expected.push(Ok(Digest::of(&content)));
            inputs.push(Input::File(path));
        }
        inputs.push(Input::File(place.path().join("none")));
        expected.push(Err(io::ErrorKind::NotFound));
        inputs.push(Input::File(place.path().to_path_buf()));
        expected.push(Err(io::ErrorKind::IsADirectory));
        assert_eq!(digests(&inputs), expected);
        assert_eq!(digests(&[]), []);
    }

    #[test]
    fn input_is_taken_by_one_thread() {
        let inputs = vec![Input::StandardInput; 3];
        let batch = Batch {
            inputs: &inputs,
            progress: &|_| (),
            state: Mutex::default(),
            finished: Condvar::new(),
            stopped: AtomicBool::new(false),
        };
        let taken = || batch.take().map(|(index, _)| index);
        assert!(batch.wait(0).is_none());
        assert_eq!(taken(), Some(1));
        assert!(batch.wait(2).is_none());
        assert_eq!(taken(), None);
    }

    #[test]
    fn later_inputs_are_read_ahead() {
        if thread::available_parallelism().map_or(1, NonZero::get) == 1 {
            eprintln!("SKIPPED: this machine has one processor");
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        std::fs::write(&path, "content").unwrap();
        let caller = thread::current().id();
        let (ahead, received) = mpsc::channel();
        let report = |_| {
            if thread::current().id() != caller {
                ahead.send(()).unwrap();
            }
        };
        digest_all(&vec![Input::File(path); 2], &report, |_, _| {
            // The caller waits here, so that only another thread can read the second input.
            received.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
            ControlFlow::Break(())
        });
    }

    #[test]
    fn every_byte_is_reported_once() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        std::fs::write(&path, vec![0; 1_000_001]).unwrap();
        let hashed = AtomicU64::new(0);
        let report = |bytes| {
            hashed.fetch_add(bytes, Ordering::Relaxed);
        };
        digest_all(&vec![Input::File(path); 5], &report, |_, _| ControlFlow::Continue(()));
        assert_eq!(hashed.into_inner(), 5_000_005);
    }

    #[test]
    fn repeated_pipe_is_read_to_its_end_first() {
        const TIMES: u8 = 20;
        let place = tempfile::tempdir().unwrap();
        let fifo = place.path().join("fifo");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let (delivered, next) = mpsc::channel();
        let writer = thread::spawn({
            let fifo = fifo.clone();
            move || {
                for number in 0..TIMES {
                    std::fs::write(&fifo, [number]).unwrap();
                    next.recv().unwrap();
                }
            }
        });
        let mut digests = Vec::new();
        digest_all(&vec![Input::File(fifo); TIMES.into()], &|_| (), |_, result| {
            digests.push(result.unwrap());
            delivered.send(()).unwrap();
            ControlFlow::Continue(())
        });
        assert_eq!(digests, (0..TIMES).map(|number| Digest::of([number])).collect::<Vec<_>>());
        writer.join().unwrap();
    }

    #[test]
    fn breaking_stops_the_remaining_reads() {
        let place = tempfile::tempdir().unwrap();
        let (small, endless) = (place.path().join("small"), place.path().join("endless"));
        std::fs::write(&small, "small").unwrap();
        // It would take the better part of an hour to hash.
        File::create(&endless).unwrap().set_len(1 << 40).unwrap();
        let inputs = [Input::File(small), Input::File(endless.clone()), Input::File(endless)];
        let mut delivered = 0;
        digest_all(&inputs, &|_| (), |_, _| {
            delivered += 1;
            ControlFlow::Break(())
        });
        assert_eq!(delivered, 1);
    }
}
