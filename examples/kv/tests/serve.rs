//! Callers of a serving host: every call, values of any size, concurrency, and stalled callers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::fs::{self, File};
use std::path::PathBuf;

use kv::VERSION_TRAILER;
use kv::limits::VALUE_BYTES;
use kv::store_proto::get_response::Part as GetPart;
use kv::store_proto::store_client::StoreClient;
use kv::store_proto::{DeleteRequest, GetRequest, WatchRequest};
use rustix::process::Signal;
use support::library::within_limit;
use support::serving::{Serving, client, peak_memory, says};
use support::serving::{announcement, chunk, commit};
use support::{Place, run_with_input};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

#[test]
fn every_command_works_through_the_socket() {
    let place = Place::new();
    let serving = Serving::start(&place);
    serving.call(&["put", "a", "1"]).exits_with(0).prints("");
    serving.call(&["get", "--with-version", "a"]).exits_with(0).prints("1\n1");
    serving.call(&["cas", "a", "--expect", "1", "2"]).exits_with(0).prints("2\n");
    let ran = serving.call(&["cas", "a", "--expect", "1", "3"]).exits_with(1);
    ran.explains(&["the host returned Aborted: the key has version 2, expected version 1"]);
    serving.call(&["list"]).exits_with(0).prints("2\t1\ta\n");
    serving.call(&["delete", "a"]).exits_with(0);
    serving.call(&["delete", "a"]).exits_with(1);
    serving.call(&["get", "a"]).exits_with(1).explains(&["NotFound"]);
    serving.call(&["put", "", "1"]).exits_with(2).explains(&["the key is empty"]);
}

#[test]
fn serving_host_never_buffers_a_whole_value() {
    let place = Place::new();
    let serving = Serving::start(&place);
    let value = support::binary(VALUE_BYTES);
    run_with_input(serving.caller().args(["put", "large", "-"]), &value).exits_with(0);
    serving.call(&["get", "large"]).exits_with(0).prints(&value);
    let peak = peak_memory(serving.pid());
    assert!(peak < 48 * 1024, "the host had {peak} KiB");
}

#[test]
fn oversized_upload_changes_nothing() {
    let place = Place::new();
    let serving = Serving::start(&place);
    within_limit(async {
        let mut client = client(serving.socket()).await;
        let rest = std::iter::repeat_n(chunk(&[0; 65536]), VALUE_BYTES / 65536).chain([chunk(b"1"), commit()]);
        let parts = std::iter::once(announcement("a", VALUE_BYTES + 1, None)).chain(rest);
        let refused = client.put(tokio_stream::iter(parts)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains("longer than 67108864 bytes"), "{refused}");
    });
    serving.call(&["list"]).exits_with(0).prints("");
    serving.call(&["put", "a", "1"]).exits_with(0);
}

#[test]
fn malformed_upload_changes_nothing() {
    let place = Place::new();
    let serving = Serving::start(&place);
    serving.call(&["put", "a", "old"]).exits_with(0);
    within_limit(async {
        let mut client = client(serving.socket()).await;
        let cases = [
            (vec![announcement("a", 3, None), chunk(b"ne"), commit()], "shorter than announced"),
            (vec![announcement("a", 3, None), chunk(b"newer"), commit()], "longer than announced"),
            // The stream ends cleanly, but without a commit.
            (vec![announcement("a", 3, None), chunk(b"new")], "without a commit"),
            (vec![announcement("a", 3, None)], "without a commit"),
            (vec![chunk(b"new"), commit()], "does not announce a value"),
            (
                vec![announcement("a", 3, Some(1)), chunk(b"new"), commit()],
                "`expected_version` must not be set in a put",
            ),
        ];
        for (parts, fault) in cases {
            let refused = client.put(tokio_stream::iter(parts)).await.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
            assert!(refused.message().contains(fault), "{refused}");
        }
        let parts = [announcement("a", 3, None), chunk(b"new"), commit()];
        let refused = client.compare_and_swap(tokio_stream::iter(parts)).await.unwrap_err();
        assert!(refused.message().contains("`expected_version` must be set in a swap"), "{refused}");
    });
    serving.call(&["get", "--with-version", "a"]).exits_with(0).prints("1\nold");
}

/// With all bytes sent, and with some of them; the commit is missing each time.
#[test]
fn interrupted_put_changes_nothing() {
    let place = Place::new();
    let serving = Serving::start(&place);
    serving.call(&["put", "a", "old"]).exits_with(0);
    within_limit(async {
        for sent in [&b"new"[..], b"n"] {
            let mut client = client(serving.socket()).await;
            let mut writer = client.clone();
            let (sender, parts) = mpsc::channel(1);
            let call = tokio::spawn(async move { writer.put(ReceiverStream::new(parts)).await });
            sender.send(announcement("a", 3, None)).await.unwrap();
            sender.send(chunk(sent)).await.unwrap();
            // The chunk has left the channel. The responses to later calls on the same connection
            // prove that it has arrived.
            drop(sender.reserve().await.unwrap());
            for _ in 0..3 {
                client.delete(DeleteRequest { key: "none".into() }).await.unwrap();
            }
            call.abort();
            assert!(call.await.unwrap_err().is_cancelled());
        }
    });
    // Twice as many writes as run concurrently: none waits for a permit of an interrupted put.
    for number in 0..8 {
        serving.call(&["put", "b", &number.to_string()]).exits_with(0);
    }
    serving.call(&["get", "--with-version", "a"]).exits_with(0).prints("1\nold");
}

#[test]
fn concurrent_swaps_lose_no_update() {
    const CALLERS: usize = 8;
    const TURNS: usize = 25;
    let place = Place::new();
    let serving = Serving::start(&place);
    within_limit(async {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let socket = serving.socket().to_path_buf();
                tokio::spawn(async move {
                    let mut client = client(&socket).await;
                    for _ in 0..TURNS {
                        while !increment(&mut client).await {}
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
    });
    serving.call(&["get", "counter"]).exits_with(0).prints((CALLERS * TURNS).to_string());
    serving.call(&["list"]).exits_with(0).prints(format!("{}\t3\tcounter\n", CALLERS * TURNS));
}

/// Adds one to the counter. Returns false if another caller was faster.
async fn increment(client: &mut StoreClient<Channel>) -> bool {
    let (version, count) = read(client, "counter").await.unwrap_or((0, b"0".to_vec()));
    let next = (String::from_utf8(count).unwrap().parse::<usize>().unwrap() + 1).to_string();
    let parts = [announcement("counter", next.len(), Some(version)), chunk(next.as_bytes()), commit()];
    match client.compare_and_swap(tokio_stream::iter(parts)).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(status.code(), Code::Aborted, "{status}");
            let current: u64 = status.metadata().get(VERSION_TRAILER).unwrap().to_str().unwrap().parse().unwrap();
            assert!(current > version, "version {version} was rejected, but the current version is {current}");
            false
        }
    }
}

async fn read(client: &mut StoreClient<Channel>, key: &str) -> Result<(u64, Vec<u8>), Status> {
    let mut parts = client.get(GetRequest { key: key.into() }).await?.into_inner();
    let Some(GetPart::Found(found)) = parts.message().await?.unwrap().part else {
        panic!("the first message does not announce a value")
    };
    let mut value = Vec::new();
    while let Some(next) = parts.message().await? {
        let Some(GetPart::Chunk(chunk)) = next.part else { panic!("no chunk") };
        value.extend_from_slice(&chunk);
    }
    assert_eq!(found.size, value.len() as u64);
    Ok((found.version, value))
}

#[test]
fn watcher_sees_changes_in_order() {
    let place = Place::new();
    let serving = Serving::start(&place);
    serving.call(&["put", "w/before", "1"]).exits_with(0);
    let (stdout, stderr) = (place.path().join("watch-stdout"), place.path().join("watch-stderr"));
    let mut watcher = serving.caller();
    watcher.args(["watch", "--count", "4", "w/"]);
    let watcher = watcher.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap()).spawn();
    let mut watcher = watcher.unwrap();
    says(&stderr, "listening for changes after version 1");
    serving.call(&["put", "w/a", "12345"]).exits_with(0);
    serving.call(&["put", "other", "1"]).exits_with(0);
    serving.call(&["cas", "w/a", "--expect", "2", "1"]).exits_with(0);
    serving.call(&["cas", "w/a", "--expect", "2", "no"]).exits_with(1);
    serving.call(&["delete", "w/a"]).exits_with(0);
    serving.call(&["put", "w/\n", ""]).exits_with(0);
    assert_eq!(watcher.wait().unwrap().code(), Some(0));
    let seen = fs::read_to_string(&stdout).unwrap();
    assert_eq!(seen, "put\t2\t5\tw/a\nput\t4\t1\tw/a\ndelete\t5\t0\tw/a\nput\t6\t0\tw/\\n\n");
}

#[test]
fn signal_ends_a_watcher_cleanly() {
    let place = Place::new();
    let serving = Serving::start(&place);
    let stderr = place.path().join("watch-stderr");
    let mut watcher = serving.caller().arg("watch").stderr(File::create(&stderr).unwrap()).spawn().unwrap();
    says(&stderr, "listening for changes after version 0");
    support::serving::send(watcher.id(), Signal::INT);
    assert_eq!(watcher.wait().unwrap().code(), Some(0));
    serving.call(&["put", "a", "1"]).exits_with(0);
}

/// More stalled readers than fit into the flow-control window of the connection to the plugin, each
/// with a value that exceeds the window of its stream.
#[test]
fn stalled_readers_block_neither_writers_nor_watchers() {
    let place = Place::new();
    let serving = Serving::start(&place);
    let value = support::binary(8 << 20);
    run_with_input(serving.caller().args(["put", "large", "-"]), &value).exits_with(0);
    within_limit(async {
        let (go_on, hold) = watch::channel(false);
        let (began, mut begun) = mpsc::channel(6);
        let stalled: Vec<_> =
            (0..6).map(|_| tokio::spawn(stall(serving.socket().to_path_buf(), began.clone(), hold.clone()))).collect();
        for _ in 0..2 {
            begun.recv().await.unwrap();
        }
        let mut client = client(serving.socket()).await;
        let mut changes = client.watch(WatchRequest::default()).await.unwrap().into_inner();
        changes.message().await.unwrap().unwrap();
        for _ in 0..30 {
            let parts = [announcement("a", 65536, None), chunk(&[0; 65536]), commit()];
            client.put(tokio_stream::iter(parts)).await.unwrap();
            changes.message().await.unwrap().unwrap();
        }
        go_on.send(true).unwrap();
        // A reader whose call had been cancelled to free the window would not get its whole value.
        for stalled in stalled {
            assert!(stalled.await.unwrap().unwrap() == value, "another value came");
        }
    });
}

/// Starts to read a value, then stalls until `go_on`.
async fn stall(socket: PathBuf, began: mpsc::Sender<()>, mut go_on: watch::Receiver<bool>) -> Result<Vec<u8>, Status> {
    let mut client = client(&socket).await;
    let mut parts = client.get(GetRequest { key: "large".into() }).await?.into_inner();
    parts.message().await?.unwrap();
    began.send(()).await.unwrap();
    go_on.wait_for(|go_on| *go_on).await.unwrap();
    let mut value = Vec::new();
    while let Some(next) = parts.message().await? {
        let Some(GetPart::Chunk(chunk)) = next.part else { panic!("no chunk") };
        value.extend_from_slice(&chunk);
    }
    Ok(value)
}
