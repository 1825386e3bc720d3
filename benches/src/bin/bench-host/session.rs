//! One plugin, verified, launched and ready to be called.

use std::time::Duration;

use anyhow::Result;
use bench::proto::Payload;
use bench::proto::bench_client::BenchClient;
use bytes::Bytes;
use portcullis::host::Channel;
use portcullis::host::{Environment, Plugin};
use portcullis::verify::VerifiedPlugin;
use portcullis::{MESSAGE_LIMIT, Policy, Protocol};

use crate::arguments::{Arguments, Check};

/// As long as go-plugin waits for a plugin that was asked to exit.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) type Client = BenchClient<Channel>;

/// A policy that allows the plugin, with nothing in its cache.
pub(crate) fn policy(arguments: &Arguments) -> Policy {
    Policy::new().allow(arguments.sha256)
}

/// The same with the plugin in its cache.
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

/// A payload as long as the arguments say.
pub(crate) fn payload(bytes: usize) -> Bytes {
    Bytes::from(vec![b'x'; bytes])
}

pub(crate) async fn echo(client: &mut Client, data: Bytes) -> Result<()> {
    let length = data.len();
    let answer = client.echo(Payload { data }).await?.into_inner();
    anyhow::ensure!(answer.data.len() == length, "the answer is not what was sent");
    Ok(())
}

pub(crate) async fn shut_down(plugin: Plugin) -> Result<()> {
    let shutdown = plugin.shutdown(GRACE).await;
    anyhow::ensure!(shutdown.exit.is_some(), "the plugin does not end");
    Ok(())
}
