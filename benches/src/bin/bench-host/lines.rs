//! Lines that the plugin logs, counted where an application receives them: as `tracing` events.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench::arguments::Arguments;
use bench::proto::LogRequest;
use bench::report;
use tokio::sync::Notify;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::session;
use crate::session::Client;

/// The `tracing` target of lines that a plugin wrote.
const TARGET: &str = "portcullis::plugin";

/// How long to wait for the last line before the measurement fails.
const LINES_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let counted = Arc::new(Counted::default());
    tracing::subscriber::set_global_default(Counter(Arc::clone(&counted)))?;
    let plugin = session::launch(&session::warm_policy(arguments)?, arguments).await?;
    let mut client = session::client(&plugin);
    log(&mut client, arguments.count / 5 + 1, &counted).await?;
    let mut rates = Vec::new();
    for _ in 0..arguments.repeats {
        let started = Instant::now();
        log(&mut client, arguments.count, &counted).await?;
        rates.push(arguments.count as f64 / started.elapsed().as_secs_f64());
    }
    report::rates("lines", &rates)?;
    session::shut_down(plugin).await
}

/// Asks for `lines` lines and returns when the last has arrived.
async fn log(client: &mut Client, lines: usize, counted: &Counted) -> Result<()> {
    let until = counted.lines.load(Ordering::Relaxed) + lines;
    client.log(LogRequest { lines: u32::try_from(lines)? }).await?;
    let arrived = async {
        while counted.lines.load(Ordering::Relaxed) < until {
            counted.more.notified().await;
        }
    };
    tokio::time::timeout(LINES_TIMEOUT, arrived).await.context("not every line arrived in time")
}

#[derive(Default)]
struct Counted {
    lines: AtomicUsize,
    more: Notify,
}

/// Counts the lines of plugins and ignores all other events.
struct Counter(Arc<Counted>);

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {
        self.0.lines.fetch_add(1, Ordering::Relaxed);
        self.0.more.notify_one();
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}
