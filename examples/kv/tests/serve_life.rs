//! A serving host: its socket, its admission of callers, and its end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::process::Command;

use kv::store_proto::{ListRequest, WatchRequest};
use rustix::process::Signal;
use support::library::within_limit;
use support::serving::{Serving, caller, client};
use support::serving::{announcement, chunk, commit};
use support::{Place, run};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

#[test]
fn signal_ends_the_serving_host_cleanly() {
    for signal in [Signal::INT, Signal::TERM] {
        let place = Place::new();
        let serving = Serving::start(&place);
        serving.call(&["put", "a", "1"]).exits_with(0);
        let socket = serving.socket().to_path_buf();
        serving.signal(signal);
        let (status, said) = serving.ended();
        assert_eq!(status, Some(0), "{said}");
        assert!(!socket.exists());
        place.assert_nothing_is_left();
        run(caller(&socket).args(["get", "a"])).exits_with(2).explains(&["cannot connect to a host"]);
        Serving::start(&place).call(&["get", "a"]).exits_with(0).prints("1");
    }
}

#[test]
fn shutdown_lets_running_call_finish() {
    let place = Place::new();
    let serving = Serving::start(&place);
    let socket = serving.socket().to_path_buf();
    within_limit(async {
        let mut writer = client(&socket).await;
        let (sender, parts) = mpsc::channel(1);
        let call = tokio::spawn(async move { writer.put(ReceiverStream::new(parts)).await });
        sender.send(announcement("a", 3, None)).await.unwrap();
        sender.send(chunk(b"12")).await.unwrap();
        let mut watcher = client(&socket).await;
        let mut changes = watcher.watch(WatchRequest::default()).await.unwrap().into_inner();
        changes.message().await.unwrap().unwrap();
        serving.signal(Signal::TERM);
        let status = changes.message().await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "the host is shutting down"));
        // The host is shutting down and rejects new calls.
        assert!(watcher.list(ListRequest::default()).await.is_err());
        sender.send(chunk(b"3")).await.unwrap();
        sender.send(commit()).await.unwrap();
        assert_eq!(call.await.unwrap().unwrap().into_inner().version, 1);
    });
    let (status, said) = serving.ended();
    assert_eq!(status, Some(0), "{said}");
    place.assert_nothing_is_left();
    Serving::start(&place).call(&["get", "a"]).exits_with(0).prints("123");
}

#[test]
fn endless_call_does_not_prevent_shutdown() {
    let place = Place::new();
    let serving = Serving::start(&place);
    within_limit(async {
        let mut client = client(serving.socket()).await;
        let (sender, parts) = mpsc::channel(1);
        let call = tokio::spawn(async move { client.put(ReceiverStream::new(parts)).await });
        sender.send(announcement("a", 3, None)).await.unwrap();
        drop(sender.reserve().await.unwrap());
        serving.signal(Signal::TERM);
        call.await.unwrap().unwrap_err();
        let (status, said) = serving.ended();
        assert_eq!(status, Some(0), "{said}");
    });
    place.assert_nothing_is_left();
}

#[test]
fn plugin_exit_ends_the_host_with_2() {
    let place = Place::new();
    let serving = Serving::start(&place);
    serving.call(&["put", "a", "1"]).exits_with(0);
    let socket = serving.socket().to_path_buf();
    support::serving::send(serving.plugin(), Signal::KILL);
    let (status, said) = serving.ended();
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("kv-host: the plugin exited: signal 9"), "{said}");
    assert!(!socket.exists());
    place.assert_nothing_is_left();
    Serving::start(&place).call(&["get", "a"]).exits_with(0).prints("1");
}

#[test]
fn second_host_does_not_take_the_socket() {
    let place = Place::new();
    let serving = Serving::start(&place);
    run(&mut Serving::command(&place, &[])).exits_with(2).explains(&["another host serves on it"]);
    serving.call(&["put", "a", "1"]).exits_with(0);
}

#[test]
fn socket_of_a_killed_host_is_replaced() {
    let place = Place::new();
    let serving = Serving::start(&place);
    let socket = serving.socket().to_path_buf();
    serving.call(&["put", "a", "1"]).exits_with(0);
    serving.signal(Signal::KILL);
    assert_eq!(serving.ended().0, None);
    assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
    run(caller(&socket).args(["get", "a"])).exits_with(2).explains(&["cannot connect to a host", "refused"]);
    // The plugin dies with the host and releases the store.
    place.assert_no_process_is_left();
    Serving::start(&place).call(&["get", "a"]).exits_with(0).prints("1");
}

#[test]
fn bad_socket_is_rejected_before_launch() {
    let place = Place::new();
    let mut host = Serving::command(&place, &[]);
    fs::set_permissions(place.path().join("run"), Permissions::from_mode(0o755)).unwrap();
    run(&mut host)
        .exits_with(2)
        .explains(&["cannot create a socket in", "mode 0755, expected your user and mode 0700"]);
    assert!(!place.has_a_store());
}

#[test]
fn version_1_plugin_cannot_be_served() {
    let place = Place::new();
    let ran = run(&mut Serving::command(&place, &["--protocol", "1"])).exits_with(2);
    ran.explains(&["the plugin speaks protocol version 1, which has only get and put"]);
    assert!(!place.path().join("run/socket").exists());
    place.assert_nothing_is_left();
}

#[test]
fn socket_is_private_to_the_user() {
    let place = Place::new();
    let serving = Serving::start(&place);
    assert_eq!(fs::symlink_metadata(serving.socket()).unwrap().mode() & 0o7777, 0o600);
}

/// Even if the modes of the directory and the socket are opened afterwards.
#[test]
fn other_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return support::skip("only root can become another user");
    }
    let place = Place::new();
    let serving = Serving::start(&place);
    serving.call(&["put", "a", "1"]).exits_with(0);
    let program = place.path().join("kv-host");
    fs::copy(env!("CARGO_BIN_EXE_kv-host"), &program).unwrap();
    for (path, mode) in [(place.path(), 0o755), (serving.socket().parent().unwrap(), 0o755), (serving.socket(), 0o666)]
    {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    let mut other = Command::new("setpriv");
    other.args(["--reuid=12345", "--regid=12345", "--clear-groups"]).arg(program);
    let ran = run(other.arg("--connect").arg(serving.socket()).args(["get", "a"])).exits_with(2).prints("");
    drop(ran);
    serving.says("refused a connection: the peer runs as user 12345");
    serving.call(&["get", "a"]).exits_with(0).prints("1");
}

fn is_disconnected(stream: &mut UnixStream) -> bool {
    // An error, if the host left sent bytes unread.
    matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_))
}

#[test]
fn non_http2_caller_is_disconnected() {
    let place = Place::new();
    let serving = Serving::start(&place);
    let mut stream = UnixStream::connect(serving.socket()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(is_disconnected(&mut stream));
    serving.says("the caller does not speak HTTP/2");
    serving.call(&["list"]).exits_with(0);
}

#[test]
fn excess_connections_are_refused() {
    let place = Place::new();
    let serving = Serving::start(&place);
    let connect = || UnixStream::connect(serving.socket()).unwrap();
    let held: Vec<_> = (0..256).map(|_| connect()).collect();
    assert!(is_disconnected(&mut connect()));
    serving.says("the limit of 256 is reached");
    drop(held);
    // The host notices closed connections one by one.
    while !serving.call(&["list"]).succeeded() {}
}
