//! The signals by which somebody ends this program.

use std::io;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, which from now on do not end it by themselves.
pub(crate) struct Signals([Signal; 2]);

impl Signals {
    pub(crate) fn catch() -> Result<Self> {
        let caught: io::Result<_> =
            (|| Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?])))();
        caught.context("cannot handle signals")
    }

    /// Waits for either.
    pub(crate) async fn ended(&mut self) {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
