//! Values, versions, listings and changes across reopenings of one file. No gRPC.

use tempfile::TempDir;
use tokio::sync::broadcast::error::TryRecvError;

use super::*;

fn opened() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    (directory, store)
}

fn key(text: &str) -> Key {
    text.to_owned().try_into().unwrap()
}

fn value(store: &Store, text: &str) -> Option<(u64, Vec<u8>)> {
    store.get(&key(text)).unwrap().map(|value| (value.version, value.bytes.into()))
}

fn listed(store: &Store, prefix: &str, limit: u64) -> Vec<(String, u64, u64)> {
    let entries = store.list(prefix, limit).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.key, entry.version, entry.size)).collect()
}

#[test]
fn value_survives_reopening() {
    let (directory, store) = opened();
    assert_eq!(value(&store, "a"), None);
    store.put(&key("a"), b"1").unwrap();
    store.put(&key("a"), b"2").unwrap();
    assert!(Store::open(directory.path()).is_err(), "two processes share one store");
    drop(store);
    assert_eq!(value(&Store::open(directory.path()).unwrap(), "a"), Some((2, b"2".to_vec())));
}

#[test]
fn version_counts_all_changes_across_reopenings() {
    let (directory, store) = opened();
    assert_eq!(store.put(&key("a"), b"1").unwrap(), 1);
    assert_eq!(store.put(&key("b"), b"1").unwrap(), 2);
    assert!(store.delete(&key("b")).unwrap());
    // Deleting nothing is not a change.
    assert!(!store.delete(&key("b")).unwrap());
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(store.put(&key("b"), b"1").unwrap(), 4);
    assert_eq!(value(&store, "a").unwrap().0, 1);
}

#[test]
fn deleted_value_stays_deleted_after_reopening() {
    let (directory, store) = opened();
    store.put(&key("a"), b"1").unwrap();
    store.delete(&key("a")).unwrap();
    drop(store);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!((value(&store, "a"), listed(&store, "", u64::MAX)), (None, vec![]));
}

#[test]
fn swap_changes_only_the_expected_version() {
    let (_directory, store) = opened();
    let swap = |expected, value: &[u8]| store.compare_and_swap(&key("a"), expected, value).unwrap();
    assert_eq!(swap(1, b"x"), Err(Mismatch { current: 0 }));
    assert_eq!(swap(0, b"1"), Ok(1));
    assert_eq!(swap(0, b"x"), Err(Mismatch { current: 1 }));
    assert_eq!(swap(1, b"2"), Ok(2));
    assert_eq!(swap(1, b"x"), Err(Mismatch { current: 2 }));
    assert_eq!(value(&store, "a"), Some((2, b"2".to_vec())));
    // A key that is deleted and stored again gets a new version.
    store.delete(&key("a")).unwrap();
    store.put(&key("a"), b"2").unwrap();
    assert_eq!(swap(2, b"x"), Err(Mismatch { current: 4 }));
}

#[test]
fn listing_honors_prefix_order_and_limit() {
    let (_directory, store) = opened();
    // The largest code points must not end a range too early.
    let keys = ["a", "a\u{10ffff}", "a\u{10ffff}\u{10ffff}b", "aÿ", "aÿÿ", "b", "ÿ", "\u{10ffff}"];
    for name in keys {
        store.put(&key(name), name.as_bytes()).unwrap();
    }
    let names = |prefix, limit| listed(&store, prefix, limit).into_iter().map(|(key, ..)| key).collect::<Vec<_>>();
    assert_eq!(
        names("", u64::MAX),
        ["a", "aÿ", "aÿÿ", "a\u{10ffff}", "a\u{10ffff}\u{10ffff}b", "b", "ÿ", "\u{10ffff}"]
    );
    assert_eq!(names("aÿ", u64::MAX), ["aÿ", "aÿÿ"]);
    assert_eq!(names("a\u{10ffff}", u64::MAX), ["a\u{10ffff}", "a\u{10ffff}\u{10ffff}b"]);
    assert_eq!(names("\u{10ffff}", u64::MAX), ["\u{10ffff}"]);
    assert_eq!(names("c", u64::MAX), [""; 0]);
    assert_eq!(names("a", 2), ["a", "aÿ"]);
    assert_eq!(listed(&store, "b", 1), [("b".into(), 6, 1)]);
}

#[test]
fn listing_is_a_snapshot() {
    let (_directory, store) = opened();
    store.put(&key("a"), b"1").unwrap();
    store.put(&key("b"), b"1").unwrap();
    let listing = store.list("", u64::MAX).unwrap();
    store.delete(&key("b")).unwrap();
    store.put(&key("c"), b"1").unwrap();
    assert_eq!(listing.map(|entry| entry.unwrap().key).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn changes_arrive_in_order_after_known_version() {
    let (_directory, store) = opened();
    store.put(&key("before"), b"1").unwrap();
    let (version, mut changes) = store.changes().unwrap();
    assert_eq!(version, 1);
    store.put(&key("a"), b"123").unwrap();
    store.compare_and_swap(&key("a"), 2, b"").unwrap().unwrap();
    store.compare_and_swap(&key("a"), 2, b"no").unwrap().unwrap_err();
    store.delete(&key("a")).unwrap();
    store.delete(&key("a")).unwrap();
    let expected = [(2, Some(3)), (3, Some(0)), (4, None)];
    for (version, size) in expected {
        assert_eq!(changes.try_recv().unwrap(), Change { key: "a".into(), version, size });
    }
    assert_eq!(changes.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn slow_receiver_gets_an_error() {
    let (_directory, store) = opened();
    let (_, mut changes) = store.changes().unwrap();
    let sender = store.0.changes.lock().unwrap().clone();
    for version in 1..=CHANGE_BACKLOG as u64 + 1 {
        sender.send(Change { key: "a".into(), version, size: None }).unwrap();
    }
    assert_eq!(changes.try_recv(), Err(TryRecvError::Lagged(1)));
}

/// Writes a file as the first release did: values and nothing else.
fn write_first_release_file(directory: &Path, values: &[(&str, &[u8])]) {
    let database = Database::create(directory.join("kv.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    for (key, value) in values {
        transaction.open_table(VALUES).unwrap().insert(key, value).unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn first_release_file_gets_versions() {
    let directory = tempfile::tempdir().unwrap();
    write_first_release_file(directory.path(), &[("a", b"123"), ("b", b"")]);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(listed(&store, "", u64::MAX), [("a".into(), 1, 3), ("b".into(), 1, 0)]);
    assert_eq!(value(&store, "a"), Some((1, b"123".to_vec())));
    assert_eq!(store.compare_and_swap(&key("a"), 1, b"new").unwrap(), Ok(2));
    drop(store);
    // A program of the first release may add values later.
    write_first_release_file(directory.path(), &[("c", b"12345")]);
    let store = Store::open(directory.path()).unwrap();
    assert_eq!(listed(&store, "", u64::MAX), [("a".into(), 2, 3), ("b".into(), 1, 0), ("c".into(), 1, 5)]);
    assert_eq!(store.put(&key("d"), b"").unwrap(), 3);
}
