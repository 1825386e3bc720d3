//! Policies: an accepted policy has no unknown key, denies no digest that it allows, and lets no
//! other user write plugins.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use portcullis::verify::{Digest, Policy};
use toml::{Table, Value};

use super::display;

const NAME: &str = "policy.toml";

/// Whether `bytes` are a policy.
pub fn check(bytes: &[u8]) -> bool {
    if display::accepted(Policy::check_bytes(NAME, bytes), NAME, bytes).is_none() {
        return false;
    }
    let accepts = |more: &str| Policy::check_bytes(NAME, display::extended(bytes, more)).is_ok();
    assert!(accepts("# a comment"), "a comment changes the policy");
    assert!(!accepts("unknown_key = 1"), "an unknown key is accepted");
    assert!(!accepts("[unknown-table]"), "an unknown table is accepted");
    let text = str::from_utf8(bytes).expect("a policy is text").trim_start_matches('\u{feff}');
    is_consistent(&text.parse().expect("a policy is TOML"));
    true
}

/// Checks the accepted document again, without the types that accepted it.
fn is_consistent(policy: &Table) {
    let allowed = digests(policy, "allow");
    assert!(allowed.is_disjoint(&digests(policy, "deny")), "it denies an allowed digest");
    let directory = Path::new(policy["directory"].as_str().expect("a path"));
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    assert!(
        directory.is_absolute() && directory.components().all(is_plain),
        "{directory:?} is not a plain absolute path"
    );
    for kind in values(policy, "require") {
        let is_there = match kind.as_str() {
            Some("allow") => !allowed.is_empty(),
            Some("manifest") => !values(policy, "key").is_empty(),
            Some(other) => policy.contains_key(other),
            None => false,
        };
        assert!(is_there, "{kind} is required but has no source");
    }
    let is_copied = policy.get("execution").and_then(Value::as_str) == Some("private-copy");
    assert!(!is_copied || policy.contains_key("copies"), "there is no directory for copies");
    let mode = policy.get("place").and_then(|place| place.get("mode")).and_then(Value::as_integer).unwrap_or_default();
    assert!((0..=0o7777).contains(&mode) && mode & 0o022 == 0, "others may write plugins: mode {mode:o}");
}

fn values<'a>(policy: &'a Table, key: &str) -> &'a [Value] {
    policy.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn digests(policy: &Table, key: &str) -> BTreeSet<Digest> {
    values(policy, key).iter().map(|text| text.as_str().expect("text").parse().expect("a digest")).collect()
}
