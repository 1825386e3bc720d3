//! Policies: what is accepted has no key that nobody knows, denies nothing that it allows, and lets
//! nobody else write plugins.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use portcullis::verify::{Digest, Policy};
use toml::{Table, Value};

use super::shown;

const NAME: &str = "policy.toml";

/// Whether `bytes` are a policy.
pub fn check(bytes: &[u8]) -> bool {
    if shown::refused(Policy::check_bytes(NAME, bytes), NAME, bytes).is_none() {
        return false;
    }
    let accepts = |more: &str| Policy::check_bytes(NAME, shown::extended(bytes, more)).is_ok();
    assert!(accepts("# a comment"), "a comment changes the policy");
    assert!(!accepts("nobody_knows_this_key = 1"), "an unknown key is overlooked");
    assert!(!accepts("[nobody-knows-this-table]"), "an unknown table is overlooked");
    let text = str::from_utf8(bytes).expect("a policy is text").trim_start_matches('\u{feff}');
    makes_sense(&text.parse().expect("a policy is TOML"));
    true
}

/// What the accepted document says, read without the types that accepted it.
fn makes_sense(policy: &Table) {
    let allowed = digests(policy, "allow");
    assert!(allowed.is_disjoint(&digests(policy, "deny")), "it denies what it allows");
    let directory = Path::new(policy["directory"].as_str().expect("a path"));
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    assert!(directory.is_absolute() && directory.components().all(is_plain), "{directory:?} is somewhere else");
    for kind in values(policy, "require") {
        let is_there = match kind.as_str() {
            Some("allow") => !allowed.is_empty(),
            Some("manifest") => !values(policy, "key").is_empty(),
            Some(other) => policy.contains_key(other),
            None => false,
        };
        assert!(is_there, "{kind} is required, and can never vouch");
    }
    let is_copied = policy.get("execution").and_then(Value::as_str) == Some("private-copy");
    assert!(!is_copied || policy.contains_key("copies"), "there is no place for copies");
    let mode = policy.get("place").and_then(|place| place.get("mode")).and_then(Value::as_integer).unwrap_or_default();
    assert!((0..=0o7777).contains(&mode) && mode & 0o022 == 0, "others may write plugins: {mode:o}");
}

fn values<'a>(policy: &'a Table, key: &str) -> &'a [Value] {
    policy.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn digests(policy: &Table, key: &str) -> BTreeSet<Digest> {
    values(policy, key).iter().map(|text| text.as_str().expect("text").parse().expect("a digest")).collect()
}
