//! A cache of sealed images for later launches: one per digest, within a budget of bytes. Does not
//! make or check images.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Digest;
use crate::limits::verify as limits;
use crate::verify::bytes::image::ProgramImage;

/// Keeps the sealed images of verified plugins. A relaunch from the cache does not read or hash the
/// file, and so does not notice that the file was replaced or deleted.
///
/// Clones are cheap and share their images. The memory of an image is freed when the image has left
/// the cache and the last plugin that was launched from it has exited.
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
    /// Locked while the image is made, so that two concurrent launches of one digest make one
    /// image.
    image: Arc<Mutex<Option<Arc<ProgramImage>>>>,
    /// Zero until the image is made.
    size: u64,
    last_use: u64,
}

impl ImageCache {
    /// The budget of a [`Policy`](crate::verify::Policy) without a shared cache: 512 MiB.
    pub const DEFAULT_BUDGET: u64 = limits::IMAGE_CACHE_BYTES;

    /// A cache of at most `budget` bytes. It evicts the least recently used images first, and never
    /// keeps an image larger than the budget.
    pub fn with_budget(budget: u64) -> Self {
        Self { budget, images: Arc::default() }
    }

    /// The current size of all images, in bytes.
    pub fn size(&self) -> u64 {
        self.lock().slots.values().map(|slot| slot.size).sum()
    }

    /// The image with this digest, and whether it was cached. For one digest, `make` never runs
    /// concurrently. A failure is not cached.
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
    /// Notes the use of an image (`None`: it could not be made) and evicts images until the budget
    /// is kept.
    fn settle(&mut self, digest: Digest, size: Option<u64>, budget: u64) {
        self.clock += 1;
        match (size, self.slots.get_mut(&digest)) {
            // Larger than the budget: it would evict every other image and then itself.
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
