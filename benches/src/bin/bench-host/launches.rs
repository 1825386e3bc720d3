//! Launches: how long until the first call is answered, and how long until the plugin is gone
//! again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use portcullis::Policy;
use portcullis::host::Plugin;
use tokio::task::JoinSet;

use crate::arguments::{Arguments, Check};
use crate::{report, session};

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    // Written to, or it would be no memory.
    let ballast = vec![1_u8; arguments.ballast << 20];
    let warm = session::warm_policy(arguments)?;
    let (mut launches, mut shutdowns) = (Vec::new(), Vec::new());
    for _ in 0..arguments.repeats {
        let policy = match arguments.check {
            Check::First => session::policy(arguments),
            Check::None | Check::Cached => warm.clone(),
        };
        let launched = at_once(policy, Arc::new(arguments.clone())).await?;
        for (plugin, took) in launched {
            launches.push(took);
            let started = Instant::now();
            session::shut_down(plugin).await?;
            shutdowns.push(started.elapsed());
        }
    }
    drop(std::hint::black_box(ballast));
    report::times("launch", &launches)?;
    report::times("shutdown", &shutdowns)
}

/// Launches of one moment, each with the time from that moment until its first call was answered.
async fn at_once(policy: Policy, arguments: Arc<Arguments>) -> Result<Vec<(Plugin, Duration)>> {
    let mut tasks = JoinSet::new();
    let started = Instant::now();
    for _ in 0..arguments.at_once {
        let (policy, arguments) = (policy.clone(), Arc::clone(&arguments));
        tasks.spawn(async move {
            let plugin = session::launch(&policy, &arguments).await?;
            session::echo(&mut session::client(&plugin), session::payload(arguments.bytes)).await?;
            Ok((plugin, started.elapsed()))
        });
    }
    tasks.join_all().await.into_iter().collect()
}
