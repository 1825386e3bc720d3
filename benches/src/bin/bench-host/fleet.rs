//! Many plugins of one host, held still while the driver measures their processes: idle, and after
//! some calls.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use bench::arguments::Arguments;
use bench::{calls, report};
use portcullis::Policy;
use portcullis::host::Plugin;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::session;

/// The number of launches in flight.
const AT_ONCE: usize = 8;

/// The size and number of the large messages in the load, besides its small ones.
const LARGE: usize = 1024 * 1024;
const LARGE_CALLS: usize = 20;

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    allow_descriptors()?;
    let policy = session::warm_policy(arguments)?;
    let started = Instant::now();
    let plugins = launch_all(&policy, &Arc::new(arguments.clone())).await?;
    report::times("start", &[started.elapsed()])?;
    let pids: Vec<_> = plugins.iter().map(Plugin::pid).collect();
    report::show_state("idle", &pids)?;
    if arguments.count > 0 {
        for plugin in &plugins {
            load(plugin, arguments).await?;
        }
        report::show_state("loaded", &pids)?;
    }
    let mut ends = JoinSet::new();
    plugins.into_iter().for_each(|plugin| drop(ends.spawn(session::shut_down(plugin))));
    ends.join_all().await.into_iter().collect()
}

/// Raises the soft limit of descriptors to the hard limit, as Go's runtime does.
fn allow_descriptors() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}

async fn launch_all(policy: &Policy, arguments: &Arc<Arguments>) -> Result<Vec<Plugin>> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut launches = JoinSet::new();
    for _ in 0..arguments.plugins {
        let (policy, arguments, places) = (policy.clone(), Arc::clone(arguments), Arc::clone(&places));
        launches.spawn(async move {
            let _place = places.acquire_owned().await?;
            session::launch(&policy, &arguments).await
        });
    }
    launches.join_all().await.into_iter().collect()
}

async fn load(plugin: &Plugin, arguments: &Arguments) -> Result<()> {
    let mut client = session::client(plugin);
    for (calls, bytes) in [(arguments.count, arguments.bytes), (LARGE_CALLS, LARGE)] {
        let data = calls::payload(bytes);
        for _ in 0..calls {
            calls::echo(&mut client, data.clone()).await?;
        }
    }
    Ok(())
}
