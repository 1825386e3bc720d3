//! Launches: the time from the launch to the first answer, and the time of a shutdown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bench::arguments::{Arguments, Check};
use bench::{calls, report};
use portcullis::Policy;
use portcullis::host::Plugin;
use tokio::task::JoinSet;

use crate::session;

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    // Written, because the kernel allocates a page at the first write.
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

/// Starts `at_once` launches together and returns each with its time to the first answer.
async fn at_once(policy: Policy, arguments: Arc<Arguments>) -> Result<Vec<(Plugin, Duration)>> {
    let mut tasks = JoinSet::new();
    let started = Instant::now();
    for _ in 0..arguments.at_once {
        let (policy, arguments) = (policy.clone(), Arc::clone(&arguments));
        tasks.spawn(async move {
            let plugin = session::launch(&policy, &arguments).await?;
            calls::echo(&mut session::client(&plugin), calls::payload(arguments.bytes)).await?;
            Ok((plugin, started.elapsed()))
        });
    }
    tasks.join_all().await.into_iter().collect()
}
