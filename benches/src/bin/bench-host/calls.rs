//! Calls on one plugin that is there: one after the other, many in flight, and streams.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bench::proto::StreamRequest;
use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::session::Client;
use crate::{report, session};

pub(crate) async fn unary(arguments: &Arguments) -> Result<()> {
    let plugin = session::launch(&session::warm_policy(arguments)?, arguments).await?;
    let client = session::client(&plugin);
    in_flight(&client, arguments, arguments.count / 5 + 1).await?;
    let (mut calls, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..arguments.repeats {
        let started = Instant::now();
        let batch = in_flight(&client, arguments, arguments.count).await?;
        rates.push(batch.len() as f64 / started.elapsed().as_secs_f64());
        calls.extend(batch);
    }
    report::times("call", &calls)?;
    report::rates("calls", &rates)?;
    session::shut_down(plugin).await
}

/// `count` calls or a few more, always `at_once` of them under way; and what each took.
async fn in_flight(client: &Client, arguments: &Arguments, count: usize) -> Result<Vec<Duration>> {
    let each = count.div_ceil(arguments.at_once);
    let mut callers = JoinSet::new();
    for _ in 0..arguments.at_once {
        let (mut client, data) = (client.clone(), session::payload(arguments.bytes));
        callers.spawn(async move {
            let mut took = Vec::with_capacity(each);
            for _ in 0..each {
                let started = Instant::now();
                session::echo(&mut client, data.clone()).await?;
                took.push(started.elapsed());
            }
            Ok(took)
        });
    }
    let callers: Result<Vec<_>> = callers.join_all().await.into_iter().collect();
    Ok(callers?.concat())
}

pub(crate) async fn stream(arguments: &Arguments) -> Result<()> {
    let plugin = session::launch(&session::warm_policy(arguments)?, arguments).await?;
    let mut client = session::client(&plugin);
    one_stream(&mut client, arguments, arguments.count / 5 + 1).await?;
    let mut rates = Vec::new();
    for _ in 0..arguments.repeats {
        let started = Instant::now();
        one_stream(&mut client, arguments, arguments.count).await?;
        rates.push(arguments.count as f64 / started.elapsed().as_secs_f64());
    }
    report::rates("messages", &rates)?;
    session::shut_down(plugin).await
}

async fn one_stream(client: &mut Client, arguments: &Arguments, messages: usize) -> Result<()> {
    let request = StreamRequest { messages: u32::try_from(messages)?, bytes: u32::try_from(arguments.bytes)? };
    let mut stream = client.stream(request).await?.into_inner();
    let mut received = 0;
    while let Some(payload) = stream.message().await? {
        ensure!(payload.data.len() == arguments.bytes, "a message is not as long as was asked for");
        received += 1;
    }
    ensure!(received == messages, "{received} messages came, not {messages}");
    Ok(())
}
