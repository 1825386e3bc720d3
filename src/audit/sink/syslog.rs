//! Copies of records to the syslog daemon of the machine, and by it to wherever it sends what it
//! gets.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use syslog::{Facility, Formatter3164, Logger, LoggerBackend, unix_custom};

use super::{Sink, is_alert};
use crate::Escaped;
use crate::audit::evidence::record::Record;

/// Where syslog(3) sends to.
const SOCKET: &str = "/dev/log";

/// The longest line in bytes that is sent: daemons cut longer ones (rsyslog's after 8 KiB, unless
/// it is told otherwise), and half a record proves nothing.
const LINE_LIMIT: usize = 8000;

/// The longest name of a program (APP-NAME of RFC 5424, section 6.2.5).
const TAG_LIMIT: usize = 48;

/// How long a daemon that is busy is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends each record to syslog, in the facility `authpriv`: as `warning` if somebody should look at
/// it (what was refused, failed, weakened or is missing), else as `info`. The message is the whole
/// line: from these the log can be verified like from its file.
///
/// systemd's journal takes what is sent to syslog too. A record of more than 8000 bytes is not sent
/// and counts as undelivered. The daemon says nothing back, so what it loses is not noticed here.
pub struct SyslogSink {
    socket: PathBuf,
    tag: String,
    logger: Option<Logger<LoggerBackend, Formatter3164>>,
}

impl SyslogSink {
    /// To the daemon behind `/dev/log`, under the name `tag` of the program: letters, digits, `-`,
    /// `_`, `.` and `/`, at most 48. Connects when there is something to send.
    ///
    /// # Errors
    ///
    /// [`SyslogSinkError::Tag`] when it is another name.
    pub fn new(tag: impl Into<String>) -> Result<Self, SyslogSinkError> {
        Self::at(SOCKET, tag)
    }

    /// To the daemon behind another socket.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn at(socket: impl Into<PathBuf>, tag: impl Into<String>) -> Result<Self, SyslogSinkError> {
        let tag = tag.into();
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
        if (1..=TAG_LIMIT).contains(&tag.len()) && tag.bytes().all(fine) {
            Ok(Self { socket: socket.into(), tag, logger: None })
        } else {
            Err(SyslogSinkError::Tag)
        }
    }

    fn send(&mut self, line: &str, is_alert: bool) -> Result<(), SyslogSinkError> {
        let logger = match &mut self.logger {
            Some(logger) => logger,
            None => self.logger.insert(connect(&self.socket, &self.tag)?),
        };
        let sent = if is_alert { logger.warning(line) } else { logger.info(line) };
        sent.map_err(|error| {
            // A daemon that was started anew has another socket.
            self.logger = None;
            SyslogSinkError::Send { socket: self.socket.clone(), source: answer(error) }
        })
    }
}

impl Sink for SyslogSink {
    fn name(&self) -> &str {
        "syslog"
    }

    fn deliver(&mut self, record: &Record) -> Result<(), Box<dyn Error + Send + Sync>> {
        let line = record.line();
        if line.len() > LINE_LIMIT {
            return Err(SyslogSinkError::TooLong.into());
        }
        let is_alert = is_alert(record);
        let was_connected = self.logger.is_some();
        let sent = self.send(line, is_alert);
        match sent {
            Err(SyslogSinkError::Send { .. }) if was_connected => Ok(self.send(line, is_alert)?),
            sent => Ok(sent?),
        }
    }
}

fn connect(socket: &Path, tag: &str) -> Result<Logger<LoggerBackend, Formatter3164>, SyslogSinkError> {
    let failed = |source| SyslogSinkError::Connect { socket: socket.to_path_buf(), source };
    let formatter = Formatter3164 {
        facility: Facility::LOG_AUTHPRIV,
        // As syslog(3): the daemon knows where it runs.
        hostname: None,
        process: tag.to_owned(),
        pid: std::process::id(),
    };
    let logger = unix_custom(formatter, socket).map_err(|error| failed(answer(error)))?;
    let limited = match &logger.backend {
        LoggerBackend::Unix(socket) => socket.set_write_timeout(Some(PATIENCE)),
        LoggerBackend::UnixStream(socket) => socket.get_ref().set_write_timeout(Some(PATIENCE)),
        LoggerBackend::Udp(..) | LoggerBackend::Tcp(..) => Ok(()),
    };
    limited.map_err(failed)?;
    Ok(logger)
}

/// The system's answer in an error of the crate.
fn answer(error: syslog::Error) -> io::Error {
    match error {
        syslog::Error::Write(source) | syslog::Error::Io(source) => source,
        syslog::Error::Initialization(source) => match source.downcast::<syslog::Error>() {
            Ok(inner) => answer(*inner),
            Err(other) => io::Error::other(other),
        },
    }
}

impl std::fmt::Debug for SyslogSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyslogSink").field("socket", &self.socket).field("tag", &self.tag).finish_non_exhaustive()
    }
}

/// A copy of a record was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyslogSinkError {
    /// A program cannot be called that.
    #[error(
        "the name of a program in syslog has 1 to {TAG_LIMIT} of the characters a-z, A-Z, 0-9, '-', '_', '.' and '/'"
    )]
    Tag,
    /// Nobody listens there.
    #[error("{}: the syslog daemon could not be connected to", Escaped::path(socket))]
    #[non_exhaustive]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The daemon did not take it.
    #[error("{}: the syslog daemon did not take it", Escaped::path(socket))]
    #[non_exhaustive]
    Send {
        /// The socket.
        socket: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The daemon would cut it.
    #[error("the record has more than {LINE_LIMIT} bytes, which syslog would cut")]
    TooLong,
}

#[cfg(test)]
mod tests;
