//! How many calls of a kind are under way to the plugin at once. The others wait here, where they
//! cost nothing.
//!
//! All calls share one connection to the plugin. What a slow caller has not taken yet stands in
//! that connection's window (RFC 9113, section 5.2), and when the window is full nobody gets
//! anything. So no more are let in than the window has room for.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

/// The window of hyper's connections has 5 MiB, that of each stream 2 MiB.
const READERS: usize = 2;

/// As many of the largest values as the plugin has room for.
const WRITERS: usize = 4;

/// Watchers stay, so those who come when there are too many are refused.
const WATCHERS: usize = 64;

pub(super) struct Lanes {
    readers: Arc<Semaphore>,
    writers: Arc<Semaphore>,
    watchers: Arc<Semaphore>,
}

/// Held while a call is under way.
pub(super) type Place = OwnedSemaphorePermit;

impl Lanes {
    pub(super) fn new() -> Self {
        let lane = |places| Arc::new(Semaphore::new(places));
        Self { readers: lane(READERS), writers: lane(WRITERS), watchers: lane(WATCHERS) }
    }

    pub(super) async fn reader(&self) -> Result<Place, Status> {
        Self::wait(&self.readers).await
    }

    pub(super) async fn writer(&self) -> Result<Place, Status> {
        Self::wait(&self.writers).await
    }

    pub(super) fn watcher(&self) -> Result<Place, Status> {
        let place = Arc::clone(&self.watchers).try_acquire_owned();
        place.map_err(|_| Status::resource_exhausted(format!("{WATCHERS} callers are watching already")))
    }

    async fn wait(lane: &Arc<Semaphore>) -> Result<Place, Status> {
        Arc::clone(lane).acquire_owned().await.map_err(|_| Status::unavailable("the host is shutting down"))
    }
}
