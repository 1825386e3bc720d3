//! Reads a plugin's standard output and error for as long as it lives, so that the plugin never
//! blocks on a full socket. Keeps a bounded part.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::process::End;
use crate::Escaped;
use crate::handshake::{HandshakeError, LineReader};
use crate::limits::host::{OUTPUT_LINE_BYTES, OUTPUT_READ_BYTES, OUTPUT_TAIL_BYTES};
use crate::timing::host::READ_AFTER_EXIT;

/// Reads the handshake line. Drops the bytes after it in the same read.
pub(super) async fn handshake_line(stream: &mut UnixStream) -> Result<Vec<u8>, HandshakeError> {
    let mut reader = LineReader::default();
    let mut piece = vec![0; OUTPUT_READ_BYTES];
    loop {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return Err(reader.ended()),
            Ok(length) => {
                if let Some(line) = reader.push(&piece[..length])? {
                    return Ok(line);
                }
            }
        }
    }
}

pub(super) fn stream(stream: StdStream) -> io::Result<UnixStream> {
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

/// An output stream that is being read.
#[derive(Debug)]
pub(super) struct Output {
    tail: Arc<Mutex<VecDeque<u8>>>,
    task: JoinHandle<()>,
}

impl Output {
    /// Reads `stream` to its end, or until a moment after the end of the process. Each line is
    /// traced under `name`.
    pub(super) fn drain(name: &'static str, pid: u32, stream: UnixStream, end: End) -> Self {
        let tail = Arc::default();
        let lines = Lines { name, pid, line: Vec::new(), tail: Arc::clone(&tail) };
        Self { tail, task: tokio::spawn(drain(stream, end, lines)) }
    }

    /// The last bytes so far.
    pub(super) fn tail(&self) -> Vec<u8> {
        lock(&self.tail).iter().copied().collect()
    }

    /// The last bytes of a process that has ended. Waits a moment for bytes that are still in the
    /// socket.
    pub(super) async fn tail_at_end(&mut self) -> Vec<u8> {
        let _ = tokio::time::timeout(READ_AFTER_EXIT, &mut self.task).await;
        self.tail()
    }
}

async fn drain(mut stream: UnixStream, mut end: End, mut lines: Lines) {
    let mut piece = vec![0; OUTPUT_READ_BYTES];
    let after_end = async {
        end.wait().await;
        tokio::time::sleep(READ_AFTER_EXIT).await;
    };
    tokio::pin!(after_end);
    loop {
        tokio::select! {
            // The timer is polled first: a process that the plugin left behind could write without
            // end and keep this task alive.
            biased;
            () = &mut after_end => return lines.finish(),
            read = stream.read(&mut piece) => match read {
                Ok(0) | Err(_) => return lines.finish(),
                Ok(length) => lines.take(&piece[..length]),
            },
        }
    }
}

/// Splits output into lines, and keeps its last bytes.
struct Lines {
    name: &'static str,
    pid: u32,
    line: Vec<u8>,
    tail: Arc<Mutex<VecDeque<u8>>>,
}

impl Lines {
    fn take(&mut self, piece: &[u8]) {
        keep_end(&mut lock(&self.tail), piece);
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let (text, complete) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            let room = OUTPUT_LINE_BYTES - self.line.len().min(OUTPUT_LINE_BYTES);
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if complete {
                self.finish();
            }
        }
    }

    fn finish(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            tracing::debug!(target: "portcullis::plugin", pid = self.pid, stream = self.name, line = ?Escaped::new(&line), "wrote");
        }
    }
}

fn keep_end(tail: &mut VecDeque<u8>, piece: &[u8]) {
    tail.extend(&piece[piece.len().saturating_sub(OUTPUT_TAIL_BYTES)..]);
    let excess = tail.len().saturating_sub(OUTPUT_TAIL_BYTES);
    tail.drain(..excess);
}

fn lock(tail: &Mutex<VecDeque<u8>>) -> MutexGuard<'_, VecDeque<u8>> {
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tail_is_kept() {
        let mut tail = VecDeque::new();
        for byte in 0..=255 {
            keep_end(&mut tail, &[byte; 100]);
        }
        assert_eq!(tail.len(), OUTPUT_TAIL_BYTES);
        assert_eq!(tail.back(), Some(&255));
        keep_end(&mut tail, &[7; 100_000]);
        assert!(tail.len() == OUTPUT_TAIL_BYTES && tail.iter().all(|byte| *byte == 7));
    }

    #[test]
    fn unterminated_line_uses_bounded_memory() {
        let mut lines = Lines { name: "stderr", pid: 1, line: Vec::new(), tail: Arc::default() };
        for _ in 0..100 {
            lines.take(&[b'x'; OUTPUT_READ_BYTES]);
        }
        assert_eq!(lines.line.len(), OUTPUT_LINE_BYTES);
        lines.take(b"\nnext");
        assert_eq!(lines.line, b"next");
    }
}
