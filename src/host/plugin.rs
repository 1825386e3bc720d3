//! A plugin that answers: called, awaited, shut down. Owns its process.

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
use crate::transport::{self, DisconnectHandle};

/// How long a plugin that did not exit when it was asked gets after SIGTERM, and how long the end
/// of a killed one is waited for.
const TERMINATE_WAIT: Duration = Duration::from_millis(400);
const KILL_WAIT: Duration = Duration::from_millis(400);

/// A plugin that was launched and is ready. Dropping it kills the process and its group.
pub struct Plugin {
    process: Process,
    channel: transport::Http2Channel,
    hangup: Arc<DisconnectHandle>,
    outputs: [Output; 2],
    report: LaunchReport,
    recorder: PluginRecorder,
}

impl Plugin {
    pub(super) fn new(
        process: Process,
        channel: transport::Http2Channel,
        hangup: DisconnectHandle,
        outputs: [Output; 2],
        report: LaunchReport,
        recorder: PluginRecorder,
    ) -> Self {
        let hangup = Arc::new(hangup);
        // A process that was forked off the plugin may hold the other end. It is not the plugin,
        // and nothing is said to it.
        let (mut end, connection, end_recorder) = (process.end(), Arc::clone(&hangup), recorder.clone());
        tokio::spawn(async move {
            let exit = end.wait().await;
            connection.disconnect();
            end_recorder.exited(exit);
        });
        Self { process, channel, hangup, outputs, report, recorder }
    }

    /// The connection to the plugin, for any client that tonic generates. Cheap to clone; never
    /// connects again when it is lost.
    pub fn channel(&self) -> Channel {
        self.recorder.channel(self.wire())
    }

    /// The same for the runtime's own calls, which are not the application's and not recorded.
    pub(super) fn wire(&self) -> transport::Http2Channel {
        self.channel.clone()
    }

    /// The plugin's process.
    pub fn pid(&self) -> u32 {
        self.report.pid
    }

    /// The version of the application's protocol that the two agreed on.
    pub fn version(&self) -> u32 {
        self.report.version
    }

    /// What the launch proved and enforced.
    pub fn report(&self) -> &LaunchReport {
        &self.report
    }

    /// Waits for the end of the plugin's process, however it comes. What the process left in its
    /// group is killed then.
    pub async fn exited(&self) -> Exit {
        self.process.ended().await
    }

    /// How the plugin's process ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        self.process.exit()
    }

    /// The last bytes that the plugin wrote to its standard error so far, at most 4 KiB. Foreign
    /// text: show it with [`Escaped`](crate::Escaped).
    pub fn stderr_tail(&self) -> Vec<u8> {
        self.outputs[0].tail()
    }

    /// Kills the plugin and its process group at once. [`exited`](Self::exited) tells when it has
    /// ended.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Ends the plugin: asks it to exit and waits for that at most `grace`, then sends SIGTERM,
    /// then kills it and its group.
    ///
    /// Calls that are under way may end as long as half of `grace` lasts; then the connection is
    /// closed, because some plugins wait for that. Returns at most 0.8 seconds after `grace`,
    /// whatever the plugin does: it waits for no answer and no end of output. Does nothing to a
    /// plugin that has ended.
    pub async fn shutdown(&self, grace: Duration) -> Shutdown {
        let pid = self.pid();
        let ending = self.end(grace).await;
        let exit = self.exit();
        match exit {
            Some(exit) => tracing::info!(pid, ?ending, %exit, "a plugin was shut down"),
            None => tracing::error!(pid, "a killed plugin has not ended yet"),
        }
        if let Some(exit) = exit {
            self.recorder.exited(exit);
        }
        self.recorder.shut_down(ending);
        Shutdown { ending, exit }
    }

    async fn end(&self, grace: Duration) -> Ending {
        if self.exit().is_some() {
            self.hangup.disconnect();
            return Ending::Exited;
        }
        if timeout(grace, self.ask_and_wait(grace / 2)).await.is_ok_and(|ended| ended) {
            return Ending::Asked;
        }
        self.hangup.disconnect();
        self.process.terminate();
        if self.process.ended_within(TERMINATE_WAIT).await.is_some() {
            return Ending::Terminated;
        }
        self.process.kill();
        self.process.ended_within(KILL_WAIT).await;
        Ending::Killed
    }

    /// Whether the plugin exited; not if it does not know how to be asked.
    async fn ask_and_wait(&self, patience: Duration) -> bool {
        if rpc::request_exit(self.wire()).await == ExitRequest::Unimplemented {
            return false;
        }
        if self.process.ended_within(patience).await.is_none() {
            self.hangup.disconnect();
            self.process.ended().await;
        }
        true
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        self.hangup.disconnect();
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("report", &self.report).field("exit", &self.exit()).finish_non_exhaustive()
    }
}

/// How a plugin was shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shutdown {
    /// What it took.
    pub ending: Ending,
    /// How the process ended. `None` if the kernel has not ended it yet: it was killed, and is
    /// reaped when it ends.
    pub exit: Option<Exit>,
}

/// What it took to end a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// Nothing: it had ended before.
    Exited,
    /// It was asked, and exited.
    Asked,
    /// It exited after SIGTERM.
    Terminated,
    /// It was killed.
    Killed,
}
