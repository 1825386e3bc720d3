//! A host that serves: one plugin, many callers on a private socket, and the end of both.

mod forward;
mod incoming;
mod lanes;
mod relay;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cli_support::Signals;
use kv::STORE_MESSAGE_LIMIT;
use kv::store_proto::store_server::StoreServer;
use portcullis::Escaped;
use portcullis::audit::Log;
use portcullis::host::{Exit, Plugin};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use self::forward::Forward;
use crate::OUTPUT;
use crate::audit;
use crate::caller::{Caller, Calls};
use crate::launch::{Launch, shut_down};
use crate::socket::Socket;

/// How long calls that are under way may take once the end was asked for, and once there is no
/// plugin any more to answer them.
const DRAIN: Duration = Duration::from_secs(2);
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// What one caller may do at once, and say in its headers.
const STREAMS: u32 = 32;
const HEADER_LIST_SIZE: u32 = 16 * 1024;

/// How often a caller must show that it is still there, and how long it may take for that.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_WAIT: Duration = Duration::from_secs(10);

/// Launches a plugin and serves callers on a new socket, until a signal comes.
///
/// # Errors
///
/// When there cannot be such a socket, the plugin cannot be launched or has no Store service, or
/// ends.
pub(crate) async fn run(launch: Launch, socket: &Path) -> Result<()> {
    // From here on a signal leaves nothing behind.
    let mut signals = Signals::catch().context("cannot handle signals")?;
    let socket = Socket::bind(socket)?;
    let log = launch.open_log()?;
    let served = launch_and_serve(launch, &socket, &log, &mut signals).await;
    served.and(audit::close(&log))
}

async fn launch_and_serve(launch: Launch, socket: &Socket, log: &Log, signals: &mut Signals) -> Result<()> {
    let plugin = tokio::select! {
        plugin = launch.plugin(log) => plugin?,
        () = signals.received() => return Ok(()),
    };
    let served = serve(&Caller::to_plugin(&plugin), &plugin, socket, log, signals).await;
    shut_down(&plugin).await;
    served
}

async fn serve<C: Calls>(
    caller: &Caller<C>,
    plugin: &Plugin,
    socket: &Socket,
    log: &Log,
    signals: &mut Signals,
) -> Result<()> {
    caller.store()?;
    let stop = CancellationToken::new();
    let service = StoreServer::new(Forward::new(caller.clone(), stop.clone()));
    let incoming = incoming::accept(socket.listener(), log.clone(), stop.clone());
    let serving = Server::builder()
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADER_LIST_SIZE)
        .http2_keepalive_interval(Some(PING_INTERVAL))
        .http2_keepalive_timeout(Some(PING_WAIT))
        .add_service(service.max_decoding_message_size(STORE_MESSAGE_LIMIT))
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    tokio::pin!(serving);
    OUTPUT.warn(format_args!("serving on {}", Escaped::path(socket.path())));
    let end = tokio::select! {
        served = &mut serving => {
            served.context("the gRPC server failed")?;
            bail!("the gRPC server ended by itself");
        }
        exit = plugin.exited() => Some(exit),
        () = signals.received() => None,
    };
    stop.cancel();
    // Whoever takes longer than this is not waited for, and neither is a server that fails now.
    let _ = timeout(if end.is_some() { LAST_ANSWERS } else { DRAIN }, serving).await;
    end.map_or(Ok(()), |exit| ended(plugin, exit))
}

fn ended(plugin: &Plugin, exit: Exit) -> Result<()> {
    let mut text = format!("the plugin ended with {exit}");
    let tail = plugin.stderr_tail();
    for line in tail.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        text.push_str(&format!("\n    {}", Escaped::new(line)));
    }
    bail!(text)
}
