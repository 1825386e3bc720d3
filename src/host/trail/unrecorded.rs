//! The trail of launches where there is no audit log: none.

use crate::error::Error;
use crate::host::builder::Ready;
use crate::host::{Channel, Ending, LaunchReport};
use crate::launch::Exit;
use crate::transport;

/// A launch that leaves no trail.
#[derive(Debug)]
pub(crate) struct Trail;

/// A plugin that leaves no trail.
#[derive(Debug, Clone)]
pub(crate) struct Life;

impl Trail {
    pub(crate) async fn begin(_ready: &Ready) -> Result<Self, Error> {
        Ok(Self)
    }

    pub(crate) async fn ready(&self, _report: &LaunchReport) -> Result<(), Error> {
        Ok(())
    }

    pub(crate) async fn failed(self, _error: &Error) {}

    pub(crate) fn live(self, _pid: u32) -> Life {
        Life
    }
}

impl Life {
    pub(crate) fn channel(&self, channel: transport::Http2Channel) -> Channel {
        Channel::direct(channel)
    }

    pub(crate) fn exited(&self, _exit: Exit) {}

    pub(crate) fn shut_down(&self, _ending: Ending) {}
}
