//! Sealed images kept for later launches: one per digest, within a budget of bytes. Never makes or
//! checks an image itself.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Digest;
use crate::limits::verify as limits;
use crate::verify::bytes::image::ProgramImage;

/// Keeps the sealed images of verified plugins, so that a relaunch neither reads nor hashes the
/// file again, and does not notice that it was replaced or deleted meanwhile.
///
/// Cheap to clone; clones share their images. The memory of an image is freed when it has left the
/// cache and the last plugin that was launched from it has exited.
#[derive(Clone)]
pub struct ImageCache {
    budget: u64,
    images: Arc<Mutex<Images>>,
}

#[derive(Default)]
struct Images {
    slots: HashMap<Digest, Slot>,
    clock: u64,
}

#[derive(Default)]
struct Slot {
    /// Locked while the image is made, so that two launches of one digest make it once.
    image: Arc<Mutex<Option<Arc<ProgramImage>>>>,
    /// Zero until the image is there.
    size: u64,
    last_use: u64,
}

impl ImageCache {
    /// What a [`Policy`](crate::verify::Policy) keeps unless it is given another cache: 512 MiB.
    pub const DEFAULT_BUDGET: u64 = limits::IMAGE_CACHE_BYTES;

    /// A cache that keeps at most `budget` bytes. The images used least recently leave first; one
    /// that is larger than the whole budget is never kept.
    pub fn with_budget(budget: u64) -> Self {
        Self { budget, images: Arc::default() }
    }

    /// How many bytes of images are kept now.
    pub fn size(&self) -> u64 {
        self.lock().slots.values().map(|slot| slot.size).sum()
    }

    /// The image with this digest, and whether it was there already. `make` runs at most once at a
    /// time for one digest, and its failure is not remembered.
    pub(crate) fn find_or<E>(
        &self,
        digest: Digest,
        make: impl FnOnce() -> Result<Arc<ProgramImage>, E>,
    ) -> Result<(Arc<ProgramImage>, bool), E> {
        let found = {
            let slot = Arc::clone(&self.lock().slots.entry(digest).or_default().image);
            let mut image = lock(&slot);
            match &*image {
                Some(image) => Ok((Arc::clone(image), true)),
                None => make().map(|made| {
                    *image = Some(Arc::clone(&made));
                    (made, false)
                }),
            }
        };
        self.lock().settle(digest, found.as_ref().ok().map(|(image, _)| image.size), self.budget);
        found
    }

    fn lock(&self) -> MutexGuard<'_, Images> {
        lock(&self.images)
    }
}

/// A panic elsewhere leaves these maps as they were, so poisoning means nothing here.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Images {
    /// Notes the use of an image (`None`: it could not be made) and lets go of what exceeds the
    /// budget.
    fn settle(&mut self, digest: Digest, size: Option<u64>, budget: u64) {
        self.clock += 1;
        match (size, self.slots.get_mut(&digest)) {
            // It would take everything else along and leave all the same.
            (Some(size), _) if size > budget => {
                self.slots.remove(&digest);
            }
            (Some(size), Some(slot)) => {
                slot.size = size;
                slot.last_use = self.clock;
            }
            // Unless another thread holds the slot too: it is about to make the image.
            (None, Some(slot)) if Arc::strong_count(&slot.image) == 1 && slot.size == 0 => {
                self.slots.remove(&digest);
            }
            _ => {}
        }
        while self.slots.values().map(|slot| slot.size).sum::<u64>() > budget {
            let oldest = self.slots.iter().filter(|(_, slot)| slot.size > 0).min_by_key(|(_, slot)| slot.last_use);
            let Some(digest) = oldest.map(|(digest, _)| *digest) else { break };
            self.slots.remove(&digest);
        }
    }
}

impl Default for ImageCache {
    fn default() -> Self {
        Self::with_budget(Self::DEFAULT_BUDGET)
    }
}

impl fmt::Debug for ImageCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageCache").field("budget", &self.budget).field("size", &self.size()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: u64 = 10;

    fn digest(name: &str) -> Digest {
        Digest::of(name)
    }

    /// Images of these sizes, the first used least recently.
    fn images(sizes: &[(&str, u64)]) -> Images {
        let mut images = Images::default();
        for (name, size) in sizes {
            images.slots.entry(digest(name)).or_default();
            images.settle(digest(name), Some(*size), BUDGET);
        }
        images
    }

    fn has(images: &Images, name: &str) -> bool {
        images.slots.contains_key(&digest(name))
    }

    #[test]
    fn budget_is_inclusive() {
        assert!(has(&images(&[("whole", BUDGET)]), "whole"));
        assert!(!has(&images(&[("larger", BUDGET + 1)]), "larger"));
        let mut two = images(&[("one", 4), ("two", BUDGET - 4)]);
        assert!(has(&two, "one") && has(&two, "two"));
        two.slots.entry(digest("three")).or_default();
        two.settle(digest("three"), Some(1), BUDGET);
        assert!(!has(&two, "one") && has(&two, "two") && has(&two, "three"));
    }

    #[test]
    fn image_under_construction_is_not_evicted() {
        let mut images = images(&[("one", 6)]);
        images.slots.entry(digest("being made")).or_default();
        images.slots.entry(digest("two")).or_default();
        images.settle(digest("two"), Some(6), BUDGET);
        assert!(has(&images, "being made") && has(&images, "two") && !has(&images, "one"));
    }

    #[test]
    fn failure_leaves_only_what_other_threads_need() {
        let mut images = images(&[("made", 1)]);
        images.settle(digest("made"), None, BUDGET);
        assert!(has(&images, "made"), "another thread made it meanwhile");
        let held = Arc::clone(&images.slots.entry(digest("failed")).or_default().image);
        images.settle(digest("failed"), None, BUDGET);
        assert!(has(&images, "failed"), "another thread is about to make it");
        drop(held);
        images.settle(digest("failed"), None, BUDGET);
        assert!(!has(&images, "failed"));
    }
}
