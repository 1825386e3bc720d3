//! The way to a host that serves: a connection to its socket, if it is this user's or root's.

use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use hyper_util::rt::TokioIo;
use portcullis::Escaped;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::caller::Caller;

/// A caller of the host that serves on `socket`.
pub(crate) async fn caller(socket: &Path) -> Result<Caller<Channel>> {
    let connected = connect(socket).await;
    let stream = connected.with_context(|| format!("no host serves on {}", Escaped::path(socket)))?;
    let mut stream = Some(TokioIo::new(stream));
    let once = tower::service_fn(move |_: Uri| {
        std::future::ready(stream.take().ok_or_else(|| io::Error::other("the connection to the host is gone")))
    });
    // No name is looked up: the connection is there.
    let channel = Endpoint::from_static("http://localhost").connect_with_connector(once).await;
    Ok(Caller::to_host(channel.context("the host does not speak HTTP/2")?))
}

async fn connect(socket: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(socket).await?;
    let user = stream.peer_cred()?.uid();
    match user == 0 || user == rustix::process::geteuid().as_raw() {
        true => Ok(stream),
        false => Err(io::Error::other(format!("it is another user's, {user}"))),
    }
}
