//! Sends copies of records to the syslog daemon of the machine (syslog(3), RFC 3164).

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use syslog::{Facility, Formatter3164, Logger, LoggerBackend, unix_custom};

use super::{Sink, is_alert};
use crate::Escaped;
use crate::audit::evidence::record::Record;
use crate::limits::audit::{SYSLOG_LINE_BYTES, SYSLOG_TAG_BYTES};
use crate::timing::audit::SYSLOG_WRITE;

/// The socket that syslog(3) uses.
const SOCKET: &str = "/dev/log";

/// Sends each record to syslog in the facility `authpriv`: alerts
/// ([`Event::is_alert`](crate::event::Event::is_alert)) as `warning`, other events as `info`. The
/// message is the whole line of the record, so the received messages can be verified like the log
/// file.
///
/// systemd's journal also receives messages to syslog. A record of more than 8000 bytes is not sent
/// and counts as undelivered. The daemon does not acknowledge messages, so losses inside it are not
/// noticed here.
pub struct SyslogSink {
    socket: PathBuf,
    tag: String,
    logger: Option<Logger<LoggerBackend, Formatter3164>>,
}

impl SyslogSink {
    /// Sends to the daemon at `/dev/log`, under the program name `tag`: 1 to 48 letters, digits,
    /// `-`, `_`, `.` and `/`. Connects at the first record.
    ///
    /// # Errors
    ///
    /// [`SyslogSinkError::Tag`] if the name has another form.
    pub fn new(tag: impl Into<String>) -> Result<Self, SyslogSinkError> {
        Self::at(SOCKET, tag)
    }

    /// Sends to the daemon at another socket.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn at(socket: impl Into<PathBuf>, tag: impl Into<String>) -> Result<Self, SyslogSinkError> {
        let tag = tag.into();
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
        if (1..=SYSLOG_TAG_BYTES).contains(&tag.len()) && tag.bytes().all(fine) {
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
            // A restarted daemon has a new socket at the same path: connect again at the next
            // record.
            self.logger = None;
            SyslogSinkError::Send { socket: self.socket.clone(), source: io_error(error) }
        })
    }
}

impl Sink for SyslogSink {
    fn name(&self) -> &str {
        "syslog"
    }

    fn deliver(&mut self, record: &Record) -> Result<(), Box<dyn Error + Send + Sync>> {
        let line = record.line();
        if line.len() > SYSLOG_LINE_BYTES {
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
        // Like syslog(3), which leaves the host name to the daemon.
        hostname: None,
        process: tag.to_owned(),
        pid: std::process::id(),
    };
    let logger = unix_custom(formatter, socket).map_err(|error| failed(io_error(error)))?;
    let limited = match &logger.backend {
        LoggerBackend::Unix(socket) => socket.set_write_timeout(Some(SYSLOG_WRITE)),
        LoggerBackend::UnixStream(socket) => socket.get_ref().set_write_timeout(Some(SYSLOG_WRITE)),
        LoggerBackend::Udp(..) | LoggerBackend::Tcp(..) => Ok(()),
    };
    limited.map_err(failed)?;
    Ok(logger)
}

/// Returns the system's error inside an error of the `syslog` crate.
fn io_error(error: syslog::Error) -> io::Error {
    match error {
        syslog::Error::Write(source) | syslog::Error::Io(source) => source,
        syslog::Error::Initialization(source) => match source.downcast::<syslog::Error>() {
            Ok(inner) => io_error(*inner),
            Err(other) => io::Error::other(other),
        },
    }
}

impl std::fmt::Debug for SyslogSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyslogSink").field("socket", &self.socket).field("tag", &self.tag).finish_non_exhaustive()
    }
}

/// A copy of a record was not sent to syslog.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyslogSinkError {
    /// The program name is not valid.
    #[error("a program name in syslog has 1 to {SYSLOG_TAG_BYTES} characters of a-z, A-Z, 0-9, '-', '_', '.' and '/'")]
    Tag,
    /// No daemon listens at the socket.
    #[error("cannot connect to the syslog daemon at {}", Escaped::path(socket))]
    #[non_exhaustive]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// The message could not be sent.
    #[error("cannot send to the syslog daemon at {}", Escaped::path(socket))]
    #[non_exhaustive]
    Send {
        /// The socket.
        socket: PathBuf,
        /// The error of the system call.
        source: io::Error,
    },
    /// The record is longer than a syslog message may be.
    #[error("the record is longer than the {SYSLOG_LINE_BYTES} bytes that syslog carries")]
    TooLong,
}

#[cfg(test)]
mod tests;
