//! What a plugin writes to its standard output and error: read for as long as it lives, so that it
//! never blocks, and kept within bounds.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::process::End;
use crate::Escaped;
use crate::handshake::{HandshakeError, LineReader};

/// How much is read at once.
const PIECE: usize = 16 * 1024;

/// How much of the output's end is kept for the report of a failed start.
const TAIL: usize = 4 * 1024;

/// The longest line that is shown; the rest of a longer one is dropped.
const LINE: usize = 4 * 1024;

/// How long what a process left in its sockets is read after its end. A process that it left behind
/// may hold them for ever.
const AFTER_END: Duration = Duration::from_millis(200);

/// Reads the handshake line. What follows it in the same piece is dropped.
pub(super) async fn handshake_line(stream: &mut UnixStream) -> Result<Vec<u8>, HandshakeError> {
    let mut reader = LineReader::default();
    let mut piece = vec![0; PIECE];
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

    /// The last bytes of what was written so far.
    pub(super) fn tail(&self) -> Vec<u8> {
        lock(&self.tail).iter().copied().collect()
    }

    /// The last bytes that a process which has ended wrote: waits a moment for those that are still
    /// on their way.
    pub(super) async fn tail_at_end(&mut self) -> Vec<u8> {
        let _ = tokio::time::timeout(AFTER_END, &mut self.task).await;
        self.tail()
    }
}

async fn drain(mut stream: UnixStream, mut end: End, mut lines: Lines) {
    let mut piece = vec![0; PIECE];
    let after_end = async {
        end.wait().await;
        tokio::time::sleep(AFTER_END).await;
    };
    tokio::pin!(after_end);
    loop {
        tokio::select! {
            // In this order, so that output without end does not keep the task alive after the
            // process.
            biased;
            () = &mut after_end => return lines.finish(),
            read = stream.read(&mut piece) => match read {
                Ok(0) | Err(_) => return lines.finish(),
                Ok(length) => lines.take(&piece[..length]),
            },
        }
    }
}

/// Cuts output into lines, and keeps its last bytes.
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
            let room = LINE - self.line.len().min(LINE);
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
    tail.extend(&piece[piece.len().saturating_sub(TAIL)..]);
    let excess = tail.len().saturating_sub(TAIL);
    tail.drain(..excess);
}

fn lock(tail: &Mutex<VecDeque<u8>>) -> MutexGuard<'_, VecDeque<u8>> {
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let mut tail = VecDeque::new();
        for byte in 0..=255 {
            keep_end(&mut tail, &[byte; 100]);
        }
        assert_eq!(tail.len(), TAIL);
        assert_eq!(tail.back(), Some(&255));
        keep_end(&mut tail, &[7; 100_000]);
        assert!(tail.len() == TAIL && tail.iter().all(|byte| *byte == 7));
    }

    #[test]
    fn unterminated_line_uses_bounded_memory() {
        let mut lines = Lines { name: "stderr", pid: 1, line: Vec::new(), tail: Arc::default() };
        for _ in 0..100 {
            lines.take(&[b'x'; PIECE]);
        }
        assert_eq!(lines.line.len(), LINE);
        lines.take(b"\nnext");
        assert_eq!(lines.line, b"next");
    }
}
