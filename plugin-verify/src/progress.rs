//! The progress bar of a long computation, on a terminal. Short computations show none.

use std::path::Path;
use std::sync::Once;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::timing::PROGRESS_BAR_DELAY;

/// A progress bar on standard error.
pub(crate) struct Progress {
    bar: ProgressBar,
    since: Instant,
    shown: Once,
}

impl Progress {
    /// A bar over the bytes of these files, as far as their sizes are known.
    pub(crate) fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Self {
        let sizes = files.filter_map(|file| file.metadata().ok()).filter(std::fs::Metadata::is_file);
        let total = sizes.fold(0_u64, |total, file| total.saturating_add(file.len()));
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        let known = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(if total > 0 { known } else { "{bytes} {bytes_per_sec}" }) {
            bar.set_style(style);
        }
        Self { bar, since: Instant::now(), shown: Once::new() }
    }

    /// Counts bytes that were read. The bar appears after [`PROGRESS_BAR_DELAY`], and only if
    /// standard error is a terminal.
    pub(crate) fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
        if self.since.elapsed() > PROGRESS_BAR_DELAY {
            self.shown.call_once(|| {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
                self.bar.tick();
            });
        }
    }

    /// Runs `write`, which may print to the terminal, with the bar hidden.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
