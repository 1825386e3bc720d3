//! Standard output belongs to the handshake. Saved first thing and replaced, so that nothing else
//! that is printed gets into it.

use std::fs::File;
use std::io::{self, Write};
use std::mem::ManuallyDrop;

/// Where the handshake line goes: what was standard output when the plugin started.
///
/// Stays open until the process ends. To a host its end is the end of the plugin, and go-plugin's
/// hosts kill the process at once: before it could write down why it failed.
#[derive(Debug)]
pub(super) struct HandshakeOutput(ManuallyDrop<File>);

impl HandshakeOutput {
    /// Takes standard output for the handshake. What is printed from now on goes to standard error,
    /// where a host takes it for log lines.
    pub(super) fn claim() -> io::Result<Self> {
        // Whatever was printed and not written yet must not come out in the middle of the line.
        let _ = io::stdout().flush();
        let output = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
        Ok(Self(ManuallyDrop::new(output.into())))
    }

    /// Writes the one line.
    pub(super) fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.0.write_all(line)
    }
}
