//! Each command of our host, with one launch per command: results, exit statuses, and protocol
//! versions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use std::io::Read;
use std::process::{Command, Stdio};

use kv::limits::VALUE_BYTES;
use support::serving::{peak_memory, read_but};
use support::{Place, Ran, digest, our_host, our_plugin, run, run_with_input};

fn host(place: &Place) -> Command {
    our_host(place, our_plugin(), digest(our_plugin()))
}

#[track_caller]
fn call(place: &Place, arguments: &[&str]) -> Ran {
    run(host(place).args(arguments))
}

#[test]
fn deleting_a_deleted_key_exits_with_1() {
    let place = Place::new();
    call(&place, &["put", "a", "1"]).exits_with(0);
    call(&place, &["delete", "a"]).exits_with(0).prints("");
    call(&place, &["get", "a"]).exits_with(1).explains(&["NotFound"]);
    call(&place, &["delete", "a"]).exits_with(1).prints("").explains(&["the key has no value"]);
}

#[test]
fn listing_prints_versions_sizes_and_sorted_keys() {
    let place = Place::new();
    for (key, value) in [("b", "12345"), ("aÿ\u{10ffff}", "1"), ("a", ""), ("aÿ", "123"), ("a\nb", "forged")] {
        call(&place, &["put", key, value]).exits_with(0);
    }
    let all = "3\t0\ta\n5\t6\ta\\nb\n4\t3\taÿ\n2\t1\taÿ\\u{10ffff}\n1\t5\tb\n";
    call(&place, &["list"]).exits_with(0).prints(all);
    call(&place, &["list", "aÿ"]).exits_with(0).prints("4\t3\taÿ\n2\t1\taÿ\\u{10ffff}\n");
    call(&place, &["list", "--limit", "1", "a"]).exits_with(0).prints("3\t0\ta\n");
    call(&place, &["list", "c"]).exits_with(0).prints("");
}

#[test]
fn listing_of_several_batches_is_complete() {
    let place = Place::new();
    let store = kv::Store::open(&{
        std::fs::create_dir(place.data()).unwrap();
        place.data()
    });
    let store = store.unwrap();
    for number in 0..300 {
        store.put(&format!("{number:03}").try_into().unwrap(), b"").unwrap();
    }
    drop(store);
    let listed: String = (0..300).map(|number| format!("{}\t0\t{number:03}\n", number + 1)).collect();
    call(&place, &["list"]).exits_with(0).prints(listed);
}

#[test]
fn failed_swap_exits_with_1_and_changes_nothing() {
    let place = Place::new();
    call(&place, &["cas", "a", "--expect", "0", "first"]).exits_with(0).prints("1\n");
    call(&place, &["cas", "a", "--expect", "1", "second"]).exits_with(0).prints("2\n");
    let ran = call(&place, &["cas", "a", "--expect", "1", "third"]).exits_with(1).prints("");
    ran.explains(&["the key has version 2, expected version 1", "Aborted"]);
    let ran = call(&place, &["cas", "b", "--expect", "1", "third"]).exits_with(1);
    ran.explains(&["the key has no value, expected version 1"]);
    call(&place, &["get", "--with-version", "a"]).exits_with(0).prints("2\nsecond");
    call(&place, &["get", "b"]).exits_with(1);
}

#[test]
fn swap_reads_its_value_from_stdin() {
    let place = Place::new();
    let value = support::binary(1 << 20);
    run_with_input(host(&place).args(["cas", "a", "--expect", "0", "-"]), &value).exits_with(0);
    call(&place, &["get", "a"]).exits_with(0).prints(value);
}

#[test]
fn version_1_shares_values_and_lacks_store_calls() {
    let place = Place::new();
    call(&place, &["--protocol", "1", "put", "a", "1"]).exits_with(0);
    call(&place, &["get", "a"]).exits_with(0).prints("1");
    call(&place, &["put", "a", "2"]).exits_with(0);
    call(&place, &["--protocol", "1", "get", "a"]).exits_with(0).prints("2");
    call(&place, &["list"]).exits_with(0).prints("2\t1\ta\n");
    let other: [&[&str]; 5] =
        [&["delete", "a"], &["list"], &["cas", "a", "--expect", "2", "3"], &["watch"], &["get", "--with-version", "a"]];
    for command in other {
        let ran = call(&place, &[&["--protocol", "1"], command].concat()).exits_with(2).prints("");
        ran.explains(&["the plugin speaks protocol version 1, which has only get and put"]);
    }
    call(&place, &["list"]).exits_with(0).prints("2\t1\ta\n");
    place.assert_nothing_is_left();
}

#[test]
fn version_1_message_holds_the_largest_value() {
    let place = Place::new();
    let value = support::binary(VALUE_BYTES);
    run_with_input(host(&place).args(["--protocol", "1", "put", "large", "-"]), &value).exits_with(0);
    call(&place, &["--protocol", "1", "get", "large"]).exits_with(0).prints(&value);
}

/// Measures the memory of the host while it holds the last part of the value and waits for its
/// reader.
#[test]
fn host_streams_a_large_value_without_buffering_it() {
    let place = Place::new();
    let value = support::binary(VALUE_BYTES);
    run_with_input(host(&place).args(["put", "large", "-"]), &value).exits_with(0);
    let mut child = host(&place).args(["get", "large"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut read = read_but(&mut output, VALUE_BYTES, 1 << 20);
    let peak = peak_memory(child.id());
    output.read_to_end(&mut read).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(read == value, "another value came");
    assert!(peak < 48 * 1024, "the host had {peak} KiB");
}

#[test]
fn oversized_key_exits_with_2() {
    let place = Place::new();
    let key = "k".repeat(4097);
    for command in [&["put", &key, "1"][..], &["get", &key], &["delete", &key], &["cas", &key, "--expect", "0", "1"]] {
        call(&place, command).exits_with(2).explains(&["4097 bytes long, at most 4096", "InvalidArgument"]);
    }
    let key = "k".repeat(4096);
    call(&place, &["put", &key, "1"]).exits_with(0);
    call(&place, &["list"]).exits_with(0).prints(format!("1\t1\t{key}\n"));
}

#[test]
fn file_of_the_first_release_keeps_its_values() {
    let place = Place::new();
    std::fs::create_dir(place.data()).unwrap();
    let database = redb::Database::create(place.data().join("kv.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let table = redb::TableDefinition::<&str, &[u8]>::new("values");
    transaction.open_table(table).unwrap().insert("old", &b"value"[..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    call(&place, &["--protocol", "1", "get", "old"]).exits_with(0).prints("value");
    call(&place, &["list"]).exits_with(0).prints("1\t5\told\n");
    call(&place, &["cas", "old", "--expect", "1", "new"]).exits_with(0).prints("2\n");
}

#[test]
fn connect_excludes_launch_options() {
    let plugin = our_plugin().to_str().unwrap();
    for option in [["--plugin", plugin], ["--data", "data"], ["--protocol", "2"], ["--as", "kv"]] {
        let mut host = support::serving::caller("socket".as_ref());
        run(host.args(option).args(["get", "a"])).exits_with(2).explains(&["cannot be used with"]);
    }
    let mut host = support::serving::caller("socket".as_ref());
    run(host.args(["serve", "--socket", "other"])).exits_with(2).explains(&["cannot be used with --connect"]);
}
