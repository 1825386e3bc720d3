//! The one thread from which every plugin is started and by which every forgotten one is reaped. Knows nothing of what it starts.
//!
//! The parent-death signal follows the *thread* that started a process (prctl(2) `PR_SET_PDEATHSIG`), so a plugin must never be started
//! from a thread that may end before the host does, as the threads of an asynchronous runtime do.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::child::Remains;

/// How often killed processes that have not ended yet are looked at. They end within a moment, or never.
const REAP_INTERVAL: Duration = Duration::from_millis(10);

enum Task {
    Run(Box<dyn FnOnce() + Send>),
    Reap(Remains),
}

/// The thread's mailbox, with the process that the thread belongs to: a fork of the host takes no thread along.
static LAUNCHER: Mutex<Option<(u32, Sender<Task>)>> = Mutex::new(None);

/// Runs `task` on the launcher thread.
pub(super) fn run(task: impl FnOnce() + Send + 'static) -> io::Result<()> {
    send(Task::Run(Box::new(task)))
}

/// Reaps a killed process when it has ended.
pub(super) fn reap_later(remains: Remains) {
    if let Err(error) = send(Task::Reap(remains)) {
        tracing::error!(%error, "a killed plugin cannot be reaped");
    }
}

fn send(task: Task) -> io::Result<()> {
    let mut launcher = LAUNCHER.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    let tasks = match &*launcher {
        Some((owner, tasks)) if *owner == process => tasks,
        _ => {
            let (tasks, received) = mpsc::channel();
            std::thread::Builder::new().name("portcullis-launcher".into()).spawn(move || serve(&received))?;
            &launcher.insert((process, tasks)).1
        }
    };
    tasks.send(task).map_err(|_| io::Error::other("the launcher thread has ended"))
}

fn serve(tasks: &mpsc::Receiver<Task>) {
    let mut remains: Vec<Remains> = Vec::new();
    loop {
        let task = match remains.is_empty() {
            true => tasks.recv().map_err(RecvTimeoutError::from),
            false => tasks.recv_timeout(REAP_INTERVAL),
        };
        match task {
            // A panic in a task must not end the thread: that would kill every plugin.
            Ok(Task::Run(task)) => drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(task))),
            Ok(Task::Reap(child)) => remains.push(child),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        remains.retain(|child| !child.try_reap());
    }
}
