//! Bytes through the socket: complete, in order, without idle buffers, and with its end noticed.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), work).await.expect("this hangs") })
}

/// A socket, and its other end, which blocks.
fn pair() -> (Socket, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    (Socket::new(ours.into()).unwrap(), theirs)
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect()
}

/// A reproducible pseudo-random sequence (Marsaglia, "Xorshift RNGs").
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize % limit
    }
}

#[test]
fn bytes_arrive_in_order_for_all_sizes() {
    const ALL: usize = 4 * 1024 * 1024;
    for seed in 1..=8 {
        run(async {
            let (mut socket, mut theirs) = pair();
            let writer = std::thread::spawn(move || {
                let (all, mut numbers) = (bytes(ALL), Numbers(seed * 31));
                let mut rest = &all[..];
                while !rest.is_empty() {
                    let length = (1 + numbers.below(200 * 1024)).min(rest.len());
                    theirs.write_all(&rest[..length]).unwrap();
                    rest = &rest[length..];
                }
            });
            let (mut got, mut numbers) = (Vec::new(), Numbers(seed));
            loop {
                // Mostly the sizes that TLS reads, sometimes tiny ones, or more than is read ahead.
                let length = [
                    1,
                    100,
                    READ_AHEAD_FROM_BYTES,
                    READ_AHEAD_FROM_BYTES,
                    READ_AHEAD_FROM_BYTES + 1,
                    READ_AHEAD_BYTES,
                    READ_AHEAD_BYTES + 1,
                ][numbers.below(7)];
                let mut buffer = vec![0; 1 + numbers.below(length)];
                match socket.read(&mut buffer).await.unwrap() {
                    0 => break,
                    length => got.extend_from_slice(&buffer[..length]),
                }
            }
            writer.join().unwrap();
            assert!(got == bytes(ALL), "seed {seed}");
        });
    }
}

#[test]
fn read_ahead_frees_its_memory_when_idle() {
    run(async {
        let (mut socket, mut theirs) = pair();
        theirs.write_all(&bytes(READ_AHEAD_FROM_BYTES + 2 * READ_AHEAD_BYTES)).unwrap();
        let mut most = 0;
        for _ in 0..READ_AHEAD_FROM_BYTES + 2 * READ_AHEAD_BYTES {
            socket.read_u8().await.unwrap();
            most = most.max(socket.ahead.buffer.capacity());
        }
        assert!(most >= READ_AHEAD_BYTES, "no read-ahead");
        let nothing = tokio::time::timeout(Duration::from_millis(1), socket.read_u8()).await;
        assert!(nothing.is_err());
        assert_eq!(socket.ahead.buffer.capacity(), 0);
    });
}

#[test]
fn waiting_reader_holds_no_buffer() {
    run(async {
        let (mut socket, mut theirs) = pair();
        theirs.write_all(&[0; READ_AHEAD_FROM_BYTES]).unwrap();
        socket.read_exact(&mut [0; READ_AHEAD_FROM_BYTES]).await.unwrap();
        assert!(socket.ahead.expects_more, "the next read would read ahead");
        let nothing = tokio::time::timeout(Duration::from_millis(1), socket.read_u8()).await;
        assert!(nothing.is_err() && socket.ahead.buffer.capacity() == 0);
        theirs.write_all(b"x").unwrap();
        assert_eq!(socket.read_u8().await.unwrap(), b'x');
    });
}

#[test]
fn reader_wakes_for_each_small_message() {
    run(async {
        let (mut socket, mut theirs) = pair();
        for at in 0..=255 {
            let reader = tokio::spawn(async move {
                let byte = socket.read_u8().await.unwrap();
                (socket, byte)
            });
            // The reader sleeps before its byte arrives.
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
            theirs.write_all(&[at]).unwrap();
            let byte;
            (socket, byte) = reader.await.unwrap();
            assert_eq!(byte, at);
        }
    });
}

#[test]
fn writer_waits_for_capacity() {
    run(async {
        let (mut socket, mut theirs) = pair();
        let all = bytes(4 * 1024 * 1024);
        let mut written = 0;
        while let Ok(length) = tokio::time::timeout(Duration::from_millis(10), socket.write(&all[written..])).await {
            written += length.unwrap();
        }
        assert!(written < all.len(), "the kernel took everything");
        let reader = std::thread::spawn(move || {
            let mut got = Vec::new();
            theirs.read_to_end(&mut got).unwrap();
            got
        });
        socket.write_all(&all[written..]).await.unwrap();
        socket.shutdown().await.unwrap();
        assert!(reader.join().unwrap() == all);
    });
}

#[test]
fn slices_are_written_together() {
    run(async {
        let (mut socket, mut theirs) = pair();
        // More slices than one system call takes.
        let all = bytes(2000);
        let slices: Vec<_> = all.chunks(1).map(IoSlice::new).collect();
        let length = socket.write_vectored(&slices).await.unwrap();
        assert_eq!(length, MAX_SLICES);
        let mut got = vec![0; length];
        theirs.read_exact(&mut got).unwrap();
        assert!(got == all[..length]);
    });
}

#[test]
fn end_is_read_after_all_bytes() {
    run(async {
        let (mut socket, mut theirs) = pair();
        let all = bytes(3 * READ_AHEAD_BYTES);
        let writer = std::thread::spawn({
            let all = all.clone();
            move || theirs.write_all(&all).unwrap()
        });
        let mut got = Vec::new();
        socket.read_to_end(&mut got).await.unwrap();
        writer.join().unwrap();
        assert!(got == all);
        assert_eq!(socket.read(&mut [0; 10]).await.unwrap(), 0, "the end is permanent");
    });
}

#[test]
fn end_wakes_a_waiting_reader() {
    run(async {
        let (mut socket, theirs) = pair();
        let end = async {
            tokio::task::yield_now().await;
            drop(theirs);
        };
        let mut buffer = [0; 10];
        let (read, ()) = tokio::join!(socket.read(&mut buffer), end);
        assert_eq!(read.unwrap(), 0);
    });
}

#[test]
fn write_to_closed_peer_fails() {
    run(async {
        let (mut socket, theirs) = pair();
        drop(theirs);
        assert_eq!(socket.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn closing_peer_wakes_a_waiting_writer() {
    run(async {
        let (mut socket, theirs) = pair();
        let all = bytes(4 * 1024 * 1024);
        let gone = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            drop(theirs);
        };
        let (written, ()) = tokio::join!(socket.write_all(&all), gone);
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn disconnect_ends_both_directions() {
    run(async {
        let (mut socket, mut theirs) = pair();
        let descriptor = Arc::clone(socket.descriptor());
        let hung_up = async {
            tokio::task::yield_now().await;
            rustix::net::shutdown(&*descriptor, Shutdown::Both).unwrap();
        };
        let mut buffer = [0; 10];
        let (read, ()) = tokio::join!(socket.read(&mut buffer), hung_up);
        assert_eq!(read.unwrap(), 0);
        assert_eq!(socket.write(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(theirs.read(&mut [0; 10]).unwrap(), 0);
    });
}
