//! The end of plugins: within bounds, and with nothing left behind.

use std::process::Command;
use std::time::Duration;

use portcullis::host::{Exit, Plugin, ShutdownPath};
use rustix::process::Signal;

use crate::slow;
use crate::support::{LONG, Place, eventually, fixture, is_alive, kill, number_in, run};

const GRACE: Duration = Duration::from_millis(500);

async fn launch(place: &Place, fixture: &[&str]) -> Plugin {
    place.fixture(fixture).launch().await.unwrap()
}

/// Shuts down, and panics if it takes much longer than promised.
async fn shut_down(plugin: &Plugin) -> (ShutdownPath, Option<Exit>) {
    shut_down_within(plugin, GRACE).await
}

async fn shut_down_within(plugin: &Plugin, grace: Duration) -> (ShutdownPath, Option<Exit>) {
    let limit = grace + Duration::from_secs(15);
    let shutdown = tokio::time::timeout(limit, plugin.shutdown(grace)).await.expect("the shutdown hangs");
    (shutdown.path, shutdown.exit)
}

pub fn shutdown_asks_first() {
    let place = Place::new();
    run(async {
        let plugin = place.fixture(&["serve"]).launch().await.unwrap();
        let shutdown = plugin.shutdown(LONG).await;
        assert_eq!((shutdown.path, shutdown.exit), (ShutdownPath::Asked, Some(Exit::Code(0))));
        assert_eq!(plugin.exited().await, Exit::Code(0));
        assert_eq!(plugin.shutdown(LONG).await.path, ShutdownPath::Exited);
    });
    assert_eq!(place.directories(), 0);
}

pub fn shutdown_lets_running_calls_finish() {
    let place = Place::new();
    run(async {
        let plugin = place.fixture(&["serve-slowly"]).launch().await.unwrap();
        let call = tokio::spawn(slow::call(plugin.channel()));
        // The plugin needs a moment to receive the call, and a second to answer.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (ending, exit) = shut_down_within(&plugin, LONG).await;
        assert_eq!((ending, exit), (ShutdownPath::Asked, Some(Exit::Code(0))));
        call.await.unwrap().expect("the call was cut off");
    });
}

pub fn plugin_can_be_killed_immediately() {
    let place = Place::new();
    run(async {
        let plugin = launch(&place, &["serve"]).await;
        plugin.kill();
        assert_eq!(plugin.exited().await, Exit::Signal(9));
    });
}

/// The launched process is gone. The host does not talk to another process that holds its
/// connection.
pub fn exited_plugin_fails_every_call() {
    let place = Place::new();
    run(async {
        let plugin = launch(&place, &["raw", "handed-over"]).await;
        let mut health = tonic_health::pb::health_client::HealthClient::new(plugin.channel());
        let request = || tonic_health::pb::HealthCheckRequest { service: "plugin".into() };
        health.check(request()).await.unwrap();
        let directory = std::fs::read_dir(place.path()).unwrap().next().unwrap().unwrap().path();
        std::fs::write(directory.join("end"), "").unwrap();
        assert_eq!(plugin.exited().await, Exit::Code(0));
        // The process that holds the connection creates a file when the host closes it.
        let closed = place.file("closed");
        eventually("the connection is closed", || closed.exists());
        health.check(request()).await.unwrap_err();
    });
}

pub fn plugin_without_controller_is_terminated() {
    let place = Place::new();
    run(async {
        let plugin = launch(&place, &["raw", "healthy"]).await;
        assert_eq!(shut_down(&plugin).await, (ShutdownPath::Terminated, Some(Exit::Signal(15))));
    });
}

pub fn stubborn_plugin_is_killed() {
    let place = Place::new();
    run(async {
        let plugin = launch(&place, &["stubborn"]).await;
        assert_eq!(shut_down(&plugin).await, (ShutdownPath::Killed, Some(Exit::Signal(9))));
    });
}

pub fn stopped_plugin_does_not_hang_shutdown() {
    let place = Place::new();
    run(async {
        let plugin = launch(&place, &["serve"]).await;
        kill(plugin.pid(), Signal::STOP);
        assert_eq!(shut_down(&plugin).await, (ShutdownPath::Killed, Some(Exit::Signal(9))));
    });
}

pub fn output_held_by_grandchild_does_not_hang_shutdown() {
    let place = Place::new();
    let file = place.file("grandchild");
    run(async {
        let plugin = launch(&place, &["leave", "session", file.to_str().unwrap()]).await;
        assert_eq!(shut_down_within(&plugin, LONG).await, (ShutdownPath::Asked, Some(Exit::Code(0))));
        let grandchild = number_in(&file);
        // It is outside the plugin's group and must still hold the output, or the test proves
        // nothing.
        assert!(is_alive(grandchild));
        kill(grandchild, Signal::KILL);
    });
}

pub fn process_group_ends_with_its_plugin() {
    let place = Place::new();
    let file = place.file("grandchild");
    run(async {
        let plugin = launch(&place, &["leave", "group", file.to_str().unwrap()]).await;
        let grandchild = number_in(&file);
        assert!(is_alive(grandchild));
        kill(plugin.pid(), Signal::KILL);
        plugin.exited().await;
        eventually("the rest of the group ends", || !is_alive(grandchild));
    });
}

pub fn unexpected_exit_is_noticed() {
    let place = Place::new();
    run(async {
        let plugin = launch(&place, &["serve"]).await;
        kill(plugin.pid(), Signal::ABORT);
        assert_eq!(plugin.exited().await, Exit::Signal(6));
        assert_eq!(plugin.exit(), Some(Exit::Signal(6)));
    });
}

pub fn dropped_plugin_is_killed_and_its_directory_removed() {
    let place = Place::new();
    let pid = run(async { launch(&place, &["serve"]).await.pid() });
    eventually("the plugin ends", || !is_alive(pid));
    eventually("its directory is removed", || place.directories() == 0);
}

/// Runs in a separate process, where all children and descriptors belong to the test.
pub fn launch_can_be_cancelled_at_any_time() {
    let place = Place::new();
    let host = Command::new(&*crate::support::OWN_PATH)
        .args(fixture(&["cancelling-host", place.path().to_str().unwrap()]))
        .output()
        .unwrap();
    assert!(host.status.success(), "{}", String::from_utf8_lossy(&host.stderr));
    assert_eq!(place.directories(), 0);
}

pub fn killed_host_leaves_no_plugin() {
    let place = Place::new();
    for round in 0..5 {
        let file = place.file(&format!("plugin-{round}"));
        let mut host = Command::new(&*crate::support::OWN_PATH)
            .args(fixture(&["host", place.path().to_str().unwrap(), file.to_str().unwrap()]))
            .spawn()
            .unwrap();
        let plugin = number_in(&file);
        assert!(is_alive(plugin));
        host.kill().unwrap();
        host.wait().unwrap();
        eventually("the plugin ends with its host", || !is_alive(plugin));
    }
    assert!(place.directories() >= 1, "a killed host leaves its directory; otherwise the test proves nothing");
    // The next host removes it. This process has not cleaned up this directory yet.
    run(async { drop(launch(&place, &["serve"]).await) });
    eventually("the directories of killed hosts are removed", || place.directories() == 0);
}

pub fn plugin_exits_when_its_host_is_gone() {
    let place = Place::new();
    let file = place.file("plugin");
    let mut host = Command::new(&*crate::support::OWN_PATH)
        .args(fixture(&["foreign-host", file.to_str().unwrap()]))
        .env("TMPDIR", place.path())
        .spawn()
        .unwrap();
    let plugin = number_in(&file);
    let socket = std::path::PathBuf::from(std::fs::read_to_string(file.with_extension("socket")).unwrap());
    assert!(is_alive(plugin) && socket.exists());
    host.kill().unwrap();
    host.wait().unwrap();
    eventually("the plugin exits", || !is_alive(plugin));
    assert!(!socket.exists(), "the plugin left its socket");
    assert_eq!(place.directories(), 0);
}

pub fn plugin_survives_the_launching_thread() {
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(Duration::from_millis(1))
        .enable_all()
        .build()
        .unwrap();
    let launch = place.fixture(&["serve"]).launch();
    let handle = runtime.handle().clone();
    let plugin = std::thread::spawn(move || handle.block_on(launch)).join().unwrap().unwrap();
    // The launching thread is gone. A parent-death signal tied to it would have killed the plugin
    // (prctl(2), PR_SET_PDEATHSIG).
    runtime.block_on(async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(plugin.exit(), None);
        assert_eq!(shut_down_within(&plugin, LONG).await.0, ShutdownPath::Asked);
    });
}

pub fn plugin_ignores_sigint_and_honors_sigterm() {
    let place = Place::new();
    run(async {
        let plugin = launch(&place, &["serve"]).await;
        kill(plugin.pid(), Signal::INT);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(plugin.exit(), None);
        kill(plugin.pid(), Signal::TERM);
        assert_eq!(plugin.exited().await, Exit::Code(0));
    });
}
