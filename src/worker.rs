//! A background thread that starts with its first task and lives as long as the process. Does not
//! know its tasks.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};

/// A named thread and the queue of its tasks.
pub(crate) struct Worker<T> {
    name: &'static str,
    serve: fn(&Receiver<T>),
    /// The queue, with the number of the process that the thread runs in. fork(2) copies only the
    /// calling thread, so a forked host starts its own thread.
    queue: Mutex<Option<(u32, Sender<T>)>>,
}

impl<T: Send + 'static> Worker<T> {
    /// A worker whose thread runs `serve`. `serve` returns only when the queue is closed, and the
    /// queue of a `static` is never closed.
    pub(crate) const fn new(name: &'static str, serve: fn(&Receiver<T>)) -> Self {
        Self { name, serve, queue: Mutex::new(None) }
    }

    /// Queues a task, and starts the thread if it does not run in this process.
    pub(crate) fn send(&self, task: T) -> io::Result<()> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        let sender = match &*queue {
            Some((owner, sender)) if *owner == process => sender,
            _ => {
                let (sender, receiver) = mpsc::channel();
                let serve = self.serve;
                std::thread::Builder::new().name(self.name.into()).spawn(move || serve(&receiver))?;
                &queue.insert((process, sender)).1
            }
        };
        sender.send(task).map_err(|_| io::Error::other("a background thread has ended"))
    }
}
