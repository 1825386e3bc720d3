//! The trail of a launch in an audit log: the intent before anything is started, what was proven
//! before anybody can call, the end whatever comes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

use super::facts;
use crate::audit::{Log, Owed};
use crate::error::Error;
use crate::event::{Event, Exit, LaunchId, Shutdown};
use crate::host::builder::Ready;
use crate::host::calls::CallLayer;
use crate::host::{Channel, Ending, LaunchReport};
use crate::launch;
use crate::tls::TlsError;
use crate::transport;
use crate::verify::VerifiedPlugin;

/// A launch that is under way. Dropping it records that the launch was cancelled.
#[derive(Debug)]
pub(crate) struct Trail(Option<Launching>);

#[derive(Debug)]
struct Launching {
    log: Log,
    launch: LaunchId,
    start_timeout: Duration,
    message_limit: usize,
    owed: Owed,
}

impl Trail {
    /// Records that something is about to be launched, and what guarantees are given up for it.
    pub(crate) async fn begin(ready: &Ready) -> Result<Self, Error> {
        let Some(log) = &ready.audit else { return Ok(Self(None)) };
        for directory in ready.plugin.directory().into_iter().chain(ready.plugin.bundle()) {
            log.refuse_inside(directory).map_err(Error::Audit)?;
        }
        for directory in around(&ready.plugin) {
            log.refuse_beside(&directory).map_err(Error::Audit)?;
        }
        let launch = new_id()?;
        for event in facts::weakened(ready, launch) {
            log.record(event).await.map_err(Error::Audit)?;
        }
        let intent = log.intend_or(facts::launch(ready, log, launch), Some(facts::cancelled(launch)));
        Ok(Self(Some(Launching {
            owed: intent.await.map_err(Error::Audit)?,
            log: log.clone(),
            launch,
            start_timeout: ready.start_timeout,
            message_limit: ready.message_limit,
        })))
    }

    /// The launch, if there is a trail.
    pub(crate) fn launch(&self) -> Option<LaunchId> {
        self.0.as_ref().map(|launching| launching.launch)
    }

    /// Records what was proven. The plugin may be called when this returns, and not if it fails.
    pub(crate) async fn ready(&self, report: &LaunchReport) -> Result<(), Error> {
        let Some(Launching { log, launch, .. }) = &self.0 else { return Ok(()) };
        let [handshake, connection, ready] = facts::ready(report, *launch);
        // Brought together, so that they are written together.
        let (handshake, connection, ready) =
            tokio::join!(biased; log.record(handshake), log.record(connection), log.record(ready));
        handshake.and(connection).and(ready).map_err(Error::Audit)
    }

    /// Records that the launch came to nothing. If that cannot be written now it is later.
    pub(crate) async fn failed(self, error: &Error) {
        let Some(Launching { log, launch, start_timeout, owed, .. }) = self.0 else { return };
        if let Some(limit) = facts::limit(error, launch, start_timeout) {
            log.note(limit);
        }
        let _ = owed.settle(facts::failed(error, launch)).await;
    }

    /// From here on it is the end of the process that is to be recorded.
    pub(crate) fn live(self, pid: u32) -> Life {
        Life(self.0.map(|Launching { log, launch, message_limit, owed, .. }| {
            let layer = CallLayer::new(log.clone(), launch).with_message_limit(message_limit);
            let owed = owed.or(exit(launch, pid, launch::Exit::Unknown));
            Arc::new(Living { log, launch, pid, layer, owed: Mutex::new(Some(owed)) })
        }))
    }
}

/// The directories that the plugin itself lies in: by the name that it was found under, and by its
/// own.
fn around(plugin: &VerifiedPlugin) -> Vec<PathBuf> {
    let named = plugin.directory().map_or_else(|| plugin.path().to_path_buf(), |root| root.join(plugin.path()));
    let lies = named.canonicalize().ok();
    let around = [Some(named.as_path()), lies.as_deref()].into_iter().flatten().filter_map(Path::parent);
    around.map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent }.to_path_buf()).collect()
}

fn new_id() -> Result<LaunchId, Error> {
    let mut bytes = [0; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Identity(TlsError::Identity("the system gives no random numbers".into())))?;
    Ok(LaunchId::new(u64::from_ne_bytes(bytes)))
}

fn exit(launch: LaunchId, pid: u32, exit: launch::Exit) -> Event {
    Event::Exit(Exit { launch, pid, exit: exit.to_string() })
}

/// A plugin that is ready. When nobody is left to notice the end of its process, it is recorded as
/// an unknown one.
#[derive(Debug, Clone)]
pub(crate) struct Life(Option<Arc<Living>>);

#[derive(Debug)]
struct Living {
    log: Log,
    launch: LaunchId,
    pid: u32,
    layer: CallLayer,
    /// Until the end of the process is recorded.
    owed: Mutex<Option<Owed>>,
}

impl Life {
    /// The channel for callers.
    pub(crate) fn channel(&self, channel: transport::Http2Channel) -> Channel {
        match &self.0 {
            Some(living) => Channel::recorded(channel, &living.layer),
            None => Channel::direct(channel),
        }
    }

    /// Records the end of the process, once.
    pub(crate) fn exited(&self, how: launch::Exit) {
        let Some(living) = &self.0 else { return };
        let owed = living.owed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(owed) = owed {
            owed.settle_later(exit(living.launch, living.pid, how));
        }
    }

    /// Records what it took to end the plugin.
    pub(crate) fn shut_down(&self, ending: Ending) {
        let Some(living) = &self.0 else { return };
        let ending = match ending {
            Ending::Exited => "exited",
            Ending::Asked => "asked",
            Ending::Terminated => "terminated",
            Ending::Killed => "killed",
        };
        living.log.note(Event::Shutdown(Shutdown { launch: living.launch, ending: ending.into() }));
    }
}
