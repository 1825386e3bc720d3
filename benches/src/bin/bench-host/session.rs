//! One plugin: verified, launched, called and shut down.

use std::time::Duration;

use anyhow::Result;
use bench::arguments::{Arguments, Check, Work};
use bench::calls;
use bench::proto::bench_client::BenchClient;
use portcullis::host::Channel;
use portcullis::host::{Environment, Plugin};
use portcullis::verify::VerifiedPlugin;
use portcullis::{MESSAGE_LIMIT, Policy, Protocol};

/// How long a plugin has to exit after it was asked to. The same as go-plugin's.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) type Client = BenchClient<Channel>;

/// A policy that allows the plugin, with an empty cache.
pub(crate) fn policy(arguments: &Arguments) -> Policy {
    Policy::new().allow(arguments.sha256)
}

/// The same policy with the plugin in its cache.
pub(crate) fn warm_policy(arguments: &Arguments) -> Result<Policy> {
    let policy = policy(arguments);
    policy.verify(&arguments.plugin)?;
    Ok(policy)
}

pub(crate) async fn verify(policy: &Policy, arguments: &Arguments) -> Result<VerifiedPlugin> {
    if arguments.check != Check::First {
        return Ok(policy.verify(&arguments.plugin)?);
    }
    let (policy, plugin) = (policy.clone(), arguments.plugin.clone());
    Ok(tokio::task::spawn_blocking(move || policy.verify(plugin)).await??)
}

pub(crate) async fn launch(policy: &Policy, arguments: &Arguments) -> Result<Plugin> {
    let launch = Plugin::builder(verify(policy, arguments).await?)
        .with_protocol(Protocol::new(bench::COOKIE_KEY, bench::COOKIE_VALUE, bench::VERSION))
        .with_environment(Environment::empty())
        .args(arguments.arguments.iter().cloned())
        .launch();
    Ok(launch.await?)
}

pub(crate) fn client(plugin: &Plugin) -> Client {
    BenchClient::new(plugin.channel()).max_decoding_message_size(MESSAGE_LIMIT)
}

/// Launches a plugin, measures calls of it, and shuts it down.
pub(crate) async fn calls(arguments: &Arguments) -> Result<()> {
    let plugin = launch(&warm_policy(arguments)?, arguments).await?;
    match arguments.work {
        Work::Stream => calls::stream(&mut client(&plugin), arguments).await?,
        _ => calls::unary(&client(&plugin), arguments).await?,
    }
    shut_down(plugin).await
}

pub(crate) async fn shut_down(plugin: Plugin) -> Result<()> {
    let shutdown = plugin.shutdown(GRACE).await;
    anyhow::ensure!(shutdown.exit.is_some(), "the plugin did not exit");
    Ok(())
}
