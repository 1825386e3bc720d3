//! A listing on its way out: read from the disk in batches, sent as fast as it is taken.

use kv::Listing;
use kv::store_proto::Entry;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::codegen::BoxStream;

use super::blocking;

/// How many entries are read at once: each turn takes a thread for as long as the disk needs.
const BATCH: usize = 128;

pub(super) fn send(listing: Listing) -> BoxStream<Entry> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        if let Err(status) = send_all(listing, &sender).await {
            // Nobody may be listening any more.
            let _ = sender.send(Err(status)).await;
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

async fn send_all(mut listing: Listing, sender: &Sender<Result<Entry, Status>>) -> Result<(), Status> {
    loop {
        let read = blocking(move || {
            let batch: Vec<_> = listing.by_ref().take(BATCH).collect::<Result<_, _>>()?;
            Ok((batch, listing))
        });
        let batch;
        (batch, listing) = read.await?;
        if batch.is_empty() {
            return Ok(());
        }
        for kv::Entry { key, version, size, .. } in batch {
            if sender.send(Ok(Entry { key, version, size })).await.is_err() {
                return Ok(());
            }
        }
    }
}
