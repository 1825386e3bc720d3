//! A plugin that is ready: to be called, awaited and shut down. Owns the process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::output::Output;
use super::process::Process;
use super::recording::PluginRecorder;
use super::{Channel, LaunchReport};
use crate::launch::Exit;
use crate::rpc::{self, ExitRequest};
use crate::timing::host::{SHUTDOWN_KILL, SHUTDOWN_TERMINATE};
use crate::transport::{self, DisconnectHandle};

/// A plugin that was launched and is ready. Dropping it kills the process and its group.
pub struct Plugin {
    process: Process,
    channel: transport::Http2Channel,
    disconnect: Arc<DisconnectHandle>,
    outputs: [Output; 2],
    report: LaunchReport,
    recorder: PluginRecorder,
}

impl Plugin {
    pub(super) fn new(
        process: Process,
        channel: transport::Http2Channel,
        disconnect: DisconnectHandle,
        outputs: [Output; 2],
        report: LaunchReport,
        recorder: PluginRecorder,
    ) -> Self {
        let disconnect = Arc::new(disconnect);
        // A process that the plugin forked may still hold the other end of the connection. It is
        // not the plugin, so the host must not send to it.
        let (mut end, connection, end_recorder) = (process.end(), Arc::clone(&disconnect), recorder.clone());
        tokio::spawn(async move {
            let exit = end.wait().await;
            connection.disconnect();
            end_recorder.exited(exit);
        });
        Self { process, channel, disconnect, outputs, report, recorder }
    }

    /// The connection to the plugin, for any client that tonic generates. Cheap to clone; never
    /// connects again when it is lost.
    pub fn channel(&self) -> Channel {
        self.recorder.channel(self.wire())
    }

    /// The channel for the library's own calls, which are not recorded.
    pub(super) fn wire(&self) -> transport::Http2Channel {
        self.channel.clone()
    }

    /// The plugin's process.
    pub fn pid(&self) -> u32 {
        self.report.pid
    }

    /// The negotiated version of the application's protocol.
    pub fn version(&self) -> u32 {
        self.report.version
    }

    /// The checks that the launch made and the restrictions that it enforced.
    pub fn report(&self) -> &LaunchReport {
        &self.report
    }

    /// Waits until the plugin's process ends. The host then kills the rest of its process group.
    pub async fn exited(&self) -> Exit {
        self.process.ended().await
    }

    /// The exit of the plugin's process, if it has ended.
    pub fn exit(&self) -> Option<Exit> {
        self.process.exit()
    }

    /// The last bytes that the plugin wrote to its standard error, at most 4 KiB. Foreign text:
    /// print it with [`Escaped`](crate::Escaped).
    pub fn stderr_tail(&self) -> Vec<u8> {
        self.outputs[0].tail()
    }

    /// Kills the plugin and its process group without waiting. [`exited`](Self::exited) waits for
    /// the end.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Shuts the plugin down: asks it to exit and waits for at most `grace`, then sends SIGTERM,
    /// then kills the process and its group.
    ///
    /// Calls under way may finish during the first half of `grace`; then the host closes the
    /// connection, because some plugins wait for that. Returns at most 0.8 seconds after `grace`,
    /// even if the plugin neither answers nor closes its output. Does nothing to a plugin that has
    /// ended.
    pub async fn shutdown(&self, grace: Duration) -> Shutdown {
        let pid = self.pid();
        let path = self.end(grace).await;
        let exit = self.exit();
        match exit {
            Some(exit) => tracing::info!(pid, ?path, %exit, "a plugin was shut down"),
            None => tracing::error!(pid, "a killed plugin has not ended yet"),
        }
        if let Some(exit) = exit {
            self.recorder.exited(exit);
        }
        self.recorder.shut_down(path);
        Shutdown { path, exit }
    }

    async fn end(&self, grace: Duration) -> ShutdownPath {
        if self.exit().is_some() {
            self.disconnect.disconnect();
            return ShutdownPath::Exited;
        }
        if timeout(grace, self.ask_and_wait(grace / 2)).await.is_ok_and(|ended| ended) {
            return ShutdownPath::Asked;
        }
        self.disconnect.disconnect();
        self.process.terminate();
        if self.process.ended_within(SHUTDOWN_TERMINATE).await.is_some() {
            return ShutdownPath::Terminated;
        }
        self.process.kill();
        self.process.ended_within(SHUTDOWN_KILL).await;
        ShutdownPath::Killed
    }

    /// Asks the plugin to exit. Returns `false` if the plugin has no controller service to ask.
    async fn ask_and_wait(&self, patience: Duration) -> bool {
        if rpc::request_exit(self.wire()).await == ExitRequest::Unimplemented {
            return false;
        }
        if self.process.ended_within(patience).await.is_none() {
            self.disconnect.disconnect();
            self.process.ended().await;
        }
        true
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        self.disconnect.disconnect();
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("report", &self.report).field("exit", &self.exit()).finish_non_exhaustive()
    }
}

/// The result of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// The step that ended the process.
    pub path: ShutdownPath,
    /// The exit of the process. `None` if the kernel has not ended the killed process yet; the host
    /// reaps it when it ends.
    pub exit: Option<Exit>,
}

/// The step of a shutdown that ended the process, in order of increasing force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownPath {
    /// The process had ended before.
    Exited,
    /// The plugin exited on request.
    Asked,
    /// The plugin exited after SIGTERM.
    Terminated,
    /// The host killed the process.
    Killed,
}
