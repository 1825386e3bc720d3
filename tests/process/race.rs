//! Another thread keeps changing the plugin's file during verification and launch: either the
//! hashed bytes run, or nothing does.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use portcullis::Policy;
use portcullis::verify::{ImageCache, Refusal, VerifyError};

use crate::launch::running_digest;
use crate::support::{OWN_DIGEST, OWN_PATH, Place, run};

/// The number of launches in each race.
const LAUNCHES: u32 = 500;

/// Verifies and launches while `disturb` runs over and over in another thread. Every process must
/// execute the expected bytes.
fn race(place: &Place, file: &Path, disturb: impl Fn() + Sync) {
    let over = AtomicBool::new(false);
    let (mut ran, mut refused) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                disturb();
            }
        });
        // Without a cache, each launch reads the file.
        let policy = Policy::new().allow(*OWN_DIGEST).with_cache(ImageCache::with_budget(0));
        let launches = || {
            for _ in 0..LAUNCHES {
                match policy.verify(file) {
                    Ok(verified) => {
                        let plugin = run(place.fixture_of(verified, &["serve"]).launch()).unwrap();
                        if let Some(running) = running_digest(plugin.pid()) {
                            assert_eq!(running, *OWN_DIGEST, "another image runs");
                        }
                        ran += 1;
                    }
                    Err(VerifyError::Refused { reason: Refusal::DigestMismatch { .. }, .. }) => refused += 1,
                    Err(other) => panic!("{other}"),
                }
            }
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(launches));
        over.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    if !rustix::process::geteuid().is_root() {
        eprintln!(
            "SKIPPED: only root may read the images of the processes; here the test shows only that launches work or are refused"
        );
    }
    println!("of {LAUNCHES} launches {ran} ran the verified bytes, {refused} were refused");
    assert!(ran > 0 && refused > 0, "{ran} ran, {refused} were refused: the race did not happen");
}

/// Writes a changed copy of this program that still runs: the wrong image would start and answer.
fn tampered(path: &Path) {
    fs::copy(&*OWN_PATH, path).unwrap();
    let end = fs::metadata(path).unwrap().len();
    OpenOptions::new().write(true).open(path).unwrap().write_all_at(b"tampered", end).unwrap();
}

pub fn file_swapped_by_rename_never_runs() {
    let place = Place::new();
    let (file, other) = (place.file("plugin"), place.file("other"));
    fs::copy(&*OWN_PATH, &file).unwrap();
    tampered(&other);
    race(&place, &file, || {
        let exchange = rustix::fs::RenameFlags::EXCHANGE;
        rustix::fs::renameat_with(rustix::fs::CWD, &file, rustix::fs::CWD, &other, exchange).unwrap();
        thread::sleep(std::time::Duration::from_micros(300));
    });
}

pub fn file_rewritten_in_place_never_runs() {
    let place = Place::new();
    let file = place.file("plugin");
    tampered(&file);
    let clean = fs::metadata(&*OWN_PATH).unwrap().len();
    let writer = OpenOptions::new().write(true).open(&file).unwrap();
    race(&place, &file, || {
        // Alternates between the right file and one with eight more bytes.
        writer.set_len(clean).unwrap();
        thread::sleep(std::time::Duration::from_millis(15));
        writer.write_all_at(b"tampered", clean).unwrap();
        thread::sleep(std::time::Duration::from_millis(15));
    });
}

/// A process that another thread forks at the wrong moment inherits the descriptor through which
/// the copy is written, and execve(2) fails with ETXTBSY until that process closes it.
pub fn private_copy_starts_while_other_threads_fork() {
    let place = Place::new();
    let policy = Policy::new().allow(*OWN_DIGEST).with_private_copy(place.path());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::process::Command::new("/bin/true").status().unwrap();
                }
            });
        }
        let launches = || {
            for _ in 0..60 {
                let verified = policy.verify(&*OWN_PATH).unwrap();
                run(place.fixture_of(verified, &["serve"]).launch()).unwrap();
            }
        };
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(launches));
        over.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}
