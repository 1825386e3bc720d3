//! Records one launch: the intent before anything starts, the proofs before the caller can use the
//! plugin, the end of the process in every case.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

use super::events;
use crate::error::Error;
use crate::event::{Event, LaunchId, PluginShutDown, ProcessExited, RecordError, Recorder, Reservation};
use crate::host::calls::CallLayer;
use crate::host::parameters::LaunchParameters;
use crate::host::{Channel, LaunchReport, ShutdownPath};
use crate::launch;
use crate::tls::TlsError;
use crate::transport;
use crate::verify::VerifiedPlugin;

/// Records a launch that is under way, if its recorder is active. Dropping it records that the
/// launch was cancelled.
#[derive(Debug)]
pub(crate) struct LaunchRecorder(Option<RecordedLaunch>);

#[derive(Debug)]
struct RecordedLaunch {
    recorder: Arc<dyn Recorder>,
    launch: LaunchId,
    start_timeout: Duration,
    message_limit: usize,
    /// For the outcome: the failure of the launch or the end of the process.
    reservation: Reservation,
}

impl LaunchRecorder {
    /// Records the intent to launch, and every guarantee that the host gives up for it.
    pub(crate) async fn begin(parameters: &LaunchParameters) -> Result<Self, Error> {
        let recorder = &parameters.recorder;
        if !recorder.is_active() {
            return Ok(Self(None));
        }
        refuse_among_plugins(&**recorder, &parameters.plugin).map_err(Error::Record)?;
        let launch = new_id()?;
        for event in events::weakened(parameters, launch) {
            recorder.record(event).await.map_err(Error::Record)?;
        }
        let intent = events::launch(parameters, &**recorder, launch);
        let reservation = Reservation::new(recorder, intent, events::cancelled(launch)).await.map_err(Error::Record)?;
        Ok(Self(Some(RecordedLaunch {
            recorder: Arc::clone(recorder),
            launch,
            start_timeout: parameters.start_timeout,
            message_limit: parameters.message_limit,
            reservation,
        })))
    }

    /// The launch, if it is recorded.
    pub(crate) fn launch(&self) -> Option<LaunchId> {
        self.0.as_ref().map(|recorded| recorded.launch)
    }

    /// Records the proofs. The plugin may be called if this succeeds, and not if it fails.
    pub(crate) async fn ready(&self, report: &LaunchReport) -> Result<(), Error> {
        let Some(RecordedLaunch { recorder, launch, .. }) = &self.0 else { return Ok(()) };
        let [handshake, connection, ready] = events::ready(report, *launch);
        // All three are submitted before the first is awaited, so that one write to disk covers
        // them.
        let (handshake, connection, ready) =
            tokio::join!(biased; recorder.record(handshake), recorder.record(connection), recorder.record(ready));
        handshake.and(connection).and(ready).map_err(Error::Record)
    }

    /// Records that the launch failed. If that cannot be written now, the recorder writes it later.
    pub(crate) async fn failed(self, error: &Error) {
        let Some(RecordedLaunch { recorder, launch, start_timeout, reservation, .. }) = self.0 else { return };
        if let Some(limit) = events::limit(error, launch, start_timeout) {
            recorder.note(limit);
        }
        let _ = reservation.redeem(events::failed(error, launch)).await;
    }

    /// Turns to recording the end of the process.
    pub(crate) fn live(self, pid: u32) -> PluginRecorder {
        PluginRecorder(self.0.map(|RecordedLaunch { recorder, launch, message_limit, reservation, .. }| {
            let layer = CallLayer::new(Arc::clone(&recorder), launch).with_message_limit(message_limit);
            let reservation = reservation.or(exit(launch, pid, launch::Exit::Unknown));
            Arc::new(RecordedPlugin { recorder, launch, pid, layer, reservation: Mutex::new(Some(reservation)) })
        }))
    }
}

/// Fails if the records are stored where the plugin is: the user who installs plugins may write
/// to a plugin directory, and a bundle is hashed as a whole.
fn refuse_among_plugins(recorder: &dyn Recorder, plugin: &VerifiedPlugin) -> Result<(), RecordError> {
    for directory in plugin.directory().into_iter().chain(plugin.bundle()) {
        recorder.refuse_inside(directory)?;
    }
    parents(plugin).iter().try_for_each(|directory| recorder.refuse_beside(directory))
}

/// The directories of the plugin's file: of the path that it was found under, and of the file that
/// this path resolves to.
fn parents(plugin: &VerifiedPlugin) -> Vec<PathBuf> {
    let named = plugin.directory().map_or_else(|| plugin.path().to_path_buf(), |root| root.join(plugin.path()));
    let resolved = named.canonicalize().ok();
    let parents = [Some(named.as_path()), resolved.as_deref()].into_iter().flatten().filter_map(Path::parent);
    parents.map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent }.to_path_buf()).collect()
}

fn new_id() -> Result<LaunchId, Error> {
    let mut bytes = [0; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Identity(TlsError::Identity("the system gives no random numbers".into())))?;
    Ok(LaunchId::new(u64::from_ne_bytes(bytes)))
}

fn exit(launch: LaunchId, pid: u32, exit: launch::Exit) -> Event {
    Event::Exit(ProcessExited { launch, pid, exit: exit.to_string() })
}

/// Records the life of a plugin that is ready. If the last clone is dropped before the process
/// ended, it records an unknown exit.
#[derive(Debug, Clone)]
pub(crate) struct PluginRecorder(Option<Arc<RecordedPlugin>>);

#[derive(Debug)]
struct RecordedPlugin {
    recorder: Arc<dyn Recorder>,
    launch: LaunchId,
    pid: u32,
    layer: CallLayer,
    /// `None` once the end of the process is recorded.
    reservation: Mutex<Option<Reservation>>,
}

impl PluginRecorder {
    /// The channel for callers.
    pub(crate) fn channel(&self, channel: transport::Http2Channel) -> Channel {
        match &self.0 {
            Some(plugin) => Channel::recorded(channel, &plugin.layer),
            None => Channel::direct(channel),
        }
    }

    /// Records the end of the process. Later calls do nothing.
    pub(crate) fn exited(&self, how: launch::Exit) {
        let Some(plugin) = &self.0 else { return };
        let reservation = plugin.reservation.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reservation) = reservation {
            reservation.redeem_later(exit(plugin.launch, plugin.pid, how));
        }
    }

    /// Records how the plugin was shut down.
    pub(crate) fn shut_down(&self, path: ShutdownPath) {
        let Some(plugin) = &self.0 else { return };
        let ending = match path {
            ShutdownPath::Exited => "exited",
            ShutdownPath::Asked => "asked",
            ShutdownPath::Terminated => "terminated",
            ShutdownPath::Killed => "killed",
        };
        plugin.recorder.note(Event::Shutdown(PluginShutDown { launch: plugin.launch, ending: ending.into() }));
    }
}
