//! A serving host: one plugin, many callers on a private socket, and an orderly end of both.

mod connections;
mod proxy;
mod relay;

use std::path::Path;

use anyhow::{Context, Result, bail};
use cli_support::Signals;
use kv::limits::{HEADER_LIST_BYTES, STORE_MESSAGE_BYTES, STREAMS_PER_CONNECTION};
use kv::store_proto::store_server::StoreServer;
use kv::timing::{DRAIN, DRAIN_WITHOUT_PLUGIN, PING_INTERVAL, PING_TIMEOUT};
use portcullis::Escaped;
use portcullis::audit::Log;
use portcullis::host::{Exit, Plugin};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use self::proxy::StoreProxy;
use crate::OUTPUT;
use crate::audit;
use crate::client::{Client, GrpcChannel};
use crate::launch::{LaunchOptions, shut_down};
use crate::socket::ServingSocket;

/// Launches a plugin and serves callers on a new socket, until SIGINT or SIGTERM.
///
/// # Errors
///
/// If the socket cannot be created, the plugin cannot be launched, has no Store service, or exits.
pub(crate) async fn run(launch: LaunchOptions, socket: &Path) -> Result<()> {
    // Caught first: the default action of a signal would leave the socket and the plugin behind.
    let mut signals = Signals::catch().context("cannot handle signals")?;
    // The socket comes before the log, so that a second host fails without touching the log.
    let socket = ServingSocket::bind(socket)?;
    let log = launch.open_log()?;
    let served = launch_and_serve(launch, &socket, &log, &mut signals).await;
    served.and(audit::close(&log))
}

async fn launch_and_serve(
    launch: LaunchOptions,
    socket: &ServingSocket,
    log: &Log,
    signals: &mut Signals,
) -> Result<()> {
    let plugin = tokio::select! {
        plugin = launch.launch(log) => plugin?,
        // Dropping the launch kills what it started.
        () = signals.received() => return Ok(()),
    };
    let served = serve(&Client::to_plugin(&plugin), &plugin, socket, log, signals).await;
    shut_down(&plugin).await;
    served
}

async fn serve<C: GrpcChannel>(
    client: &Client<C>,
    plugin: &Plugin,
    socket: &ServingSocket,
    log: &Log,
    signals: &mut Signals,
) -> Result<()> {
    // Fails here if the plugin speaks version 1, instead of at the first call.
    client.store()?;
    let stop = CancellationToken::new();
    let service = StoreServer::new(StoreProxy::new(client.clone(), stop.clone()));
    let connections = connections::accept(socket.listener(), log.clone(), stop.clone());
    let server = Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .http2_max_header_list_size(HEADER_LIST_BYTES)
        .http2_keepalive_interval(Some(PING_INTERVAL))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .add_service(service.max_decoding_message_size(STORE_MESSAGE_BYTES))
        .serve_with_incoming_shutdown(connections, stop.clone().cancelled_owned());
    tokio::pin!(server);
    OUTPUT.warn(format_args!("serving on {}", Escaped::path(socket.path())));
    let exit = tokio::select! {
        served = &mut server => {
            served.context("the gRPC server failed")?;
            bail!("the gRPC server stopped unexpectedly");
        }
        exit = plugin.exited() => Some(exit),
        () = signals.received() => None,
    };
    // Ends the accepting of connections and all watches; other calls may still finish.
    stop.cancel();
    // A call that takes longer is cut off. A server that fails now changes nothing.
    let _ = timeout(if exit.is_some() { DRAIN_WITHOUT_PLUGIN } else { DRAIN }, server).await;
    exit.map_or(Ok(()), |exit| plugin_exited(plugin, exit))
}

/// The error of a plugin that exited, with the last lines of its standard error.
fn plugin_exited(plugin: &Plugin, exit: Exit) -> Result<()> {
    let mut text = format!("the plugin exited: {exit}");
    let tail = plugin.stderr_tail();
    for line in tail.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        text.push_str(&format!("\n    {}", Escaped::new(line)));
    }
    bail!(text)
}
