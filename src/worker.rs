//! A thread that lives as long as the process, started when it is first needed. Does not know what
//! it does.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};

/// A named thread and its mailbox.
pub(crate) struct Worker<T> {
    name: &'static str,
    serve: fn(&Receiver<T>),
    /// With the process that the thread belongs to: a fork of the host takes no thread along.
    mailbox: Mutex<Option<(u32, Sender<T>)>>,
}

impl<T: Send + 'static> Worker<T> {
    /// A worker that runs `serve` when the first task comes. `serve` returns only when the mailbox
    /// is closed, which is never.
    pub(crate) const fn new(name: &'static str, serve: fn(&Receiver<T>)) -> Self {
        Self { name, serve, mailbox: Mutex::new(None) }
    }

    pub(crate) fn send(&self, task: T) -> io::Result<()> {
        let mut mailbox = self.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        let sender = match &*mailbox {
            Some((owner, sender)) if *owner == process => sender,
            _ => {
                let (sender, receiver) = mpsc::channel();
                let serve = self.serve;
                std::thread::Builder::new().name(self.name.into()).spawn(move || serve(&receiver))?;
                &mailbox.insert((process, sender)).1
            }
        };
        sender.send(task).map_err(|_| io::Error::other("a thread of the library has ended"))
    }
}
