//! The one thread from which every plugin is started. Knows nothing of what it starts.
//!
//! The parent-death signal follows the *thread* that started a process (prctl(2)
//! `PR_SET_PDEATHSIG`), so a plugin must never be started from a thread that may end before the
//! host does, as the threads of an asynchronous runtime do.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;

use crate::worker::Worker;

type Task = Box<dyn FnOnce() + Send>;

static LAUNCHER: Worker<Task> = Worker::new("portcullis-launcher", serve);

/// Runs `task` on the launcher thread.
pub(super) fn run(task: impl FnOnce() + Send + 'static) -> io::Result<()> {
    LAUNCHER.send(Box::new(task))
}

fn serve(tasks: &Receiver<Task>) {
    for task in tasks {
        // A panic in a task must not end the thread: that would kill every plugin.
        drop(catch_unwind(AssertUnwindSafe(task)));
    }
}
