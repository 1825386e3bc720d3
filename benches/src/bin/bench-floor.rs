//! The lower bound on this machine: bytes exchanged between two processes over a socketpair, plain
//! and under TLS, without HTTP/2, gRPC or an async runtime. Prints the same lines as `bench-host`.
//!
//! The process starts itself again, with the other socket as its standard input.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bench::tls;
use clap::{Parser, ValueEnum};
use rustls::{ClientConnection, ServerConnection, StreamOwned};
use serde_json::json;

/// The size in bytes of a message in the throughput measurements.
const LARGE: usize = 1024 * 1024;

#[derive(Parser)]
struct Arguments {
    /// The number of measurements
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeats: usize,
    /// The number of messages in each measurement
    #[arg(long, value_name = "N", default_value_t = 1000)]
    count: usize,
    #[arg(value_enum)]
    work: Work,
    /// Run as the other end
    #[arg(long, hide = true)]
    peer: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Round trips of 100 bytes
    PingPong,
    /// The same under TLS 1.3
    TlsPingPong,
    /// Messages of 1 MiB in one direction
    Throughput,
    /// The same under TLS 1.3
    TlsThroughput,
}

impl Work {
    fn is_secured(self) -> bool {
        matches!(self, Self::TlsPingPong | Self::TlsThroughput)
    }

    fn is_one_way(self) -> bool {
        matches!(self, Self::Throughput | Self::TlsThroughput)
    }

    fn length(self) -> usize {
        if self.is_one_way() { LARGE } else { 100 }
    }
}

trait Pipe: Read + Write {}

impl<T: Read + Write> Pipe for T {}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.peer {
        let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        return answer(arguments.work, socket);
    }
    let (own, others) = UnixStream::pair()?;
    let mut peer = start_peer(arguments.work, others.into())?;
    measure(&arguments, own)?;
    ensure!(peer.wait()?.success(), "the other end failed");
    Ok(())
}

fn start_peer(work: Work, socket: OwnedFd) -> Result<Child> {
    let name = work.to_possible_value().context("every work has a name")?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--peer").arg(name.get_name()).stdin(socket);
    Ok(command.spawn()?)
}

fn measure(arguments: &Arguments, socket: UnixStream) -> Result<()> {
    let mut pipe: Box<dyn Pipe> = match arguments.work.is_secured() {
        true => {
            // The other end creates its certificate and sends it first.
            let mut socket = socket;
            let trusted = tls::read_certificate(&mut socket)?;
            let connection = ClientConnection::new(Arc::new(tls::client(trusted, None)?), tls::name()?)?;
            Box::new(StreamOwned::new(connection, socket))
        }
        false => Box::new(socket),
    };
    let mut data = vec![b'x'; arguments.work.length()];
    exchange(&mut pipe, &mut data, arguments)?;
    let (mut times, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..arguments.repeats {
        let started = Instant::now();
        times.extend(exchange(&mut pipe, &mut data, arguments)?);
        rates.push(arguments.count as f64 / started.elapsed().as_secs_f64());
    }
    if !arguments.work.is_one_way() {
        println!("{}", json!({ "metric": "call", "unit": "us", "samples": times }));
    }
    println!("{}", json!({ "metric": "messages", "unit": "per_second", "samples": rates }));
    Ok(())
}

/// Exchanges messages, and returns the duration of each in microseconds.
fn exchange(pipe: &mut dyn Pipe, data: &mut [u8], arguments: &Arguments) -> Result<Vec<f64>> {
    let mut took = Vec::with_capacity(arguments.count);
    for _ in 0..arguments.count {
        let started = Instant::now();
        pipe.write_all(data)?;
        pipe.flush()?;
        if !arguments.work.is_one_way() {
            pipe.read_exact(data)?;
        }
        took.push(started.elapsed().as_secs_f64() * 1e6);
    }
    Ok(took)
}

/// Returns when the other end has closed.
fn answer(work: Work, mut socket: UnixStream) -> Result<()> {
    let mut pipe: Box<dyn Pipe> = match work.is_secured() {
        true => {
            let identity = tls::identity()?;
            tls::write_certificate(&mut socket, &identity.0)?;
            let connection = ServerConnection::new(Arc::new(tls::server(identity, None)?))?;
            Box::new(StreamOwned::new(connection, socket))
        }
        false => Box::new(socket),
    };
    let mut data = vec![0; work.length()];
    // Errors are ignored: the measuring end has closed and checks its counts itself.
    while pipe.read_exact(&mut data).is_ok() {
        if !work.is_one_way() {
            pipe.write_all(&data)?;
            pipe.flush()?;
        }
    }
    Ok(())
}
