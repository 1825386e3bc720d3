//! Changes of a lock: what is accepted, what is rejected, and what each override allows.

use crate::authoring::{Candidate, LockRefusal, Overrides};
use crate::verify::{Digest, Lock, LockedPlugin, Platform, PluginName, PublicKey, Subject, Version};

const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

fn key(id: u8) -> PublicKey {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let mut bytes = base64.decode(KEY).unwrap();
    bytes[2] = id;
    base64.encode(bytes).parse().unwrap()
}

fn candidate(platform: &str, version: impl Into<Option<u64>>, bytes: &str) -> Candidate {
    Candidate {
        name: "kv".parse().unwrap(),
        platform: platform.parse().unwrap(),
        version: version.into().map(|minor| Version::new(1, minor, 0)),
        minimum_version: None,
        note: None,
        subject: Subject::File(Digest::of(bytes)),
        signed_by: None,
    }
}

fn signed(candidate: Candidate, id: u8) -> Candidate {
    Candidate { signed_by: Some(key(id)), ..candidate }
}

fn locked(candidates: &[Candidate]) -> Lock {
    let mut lock = Lock::new("plugins.lock");
    for candidate in candidates {
        assert!(!lock.add(candidate, Overrides::none()).unwrap().is_empty());
    }
    lock
}

/// Why an update is refused without overrides, which changes nothing. With them it succeeds.
fn refused_without(overrides: Overrides, lock: &mut Lock, candidates: &[Candidate]) -> LockRefusal {
    let before = lock.clone();
    let refusal = lock.update(candidates, Overrides::none()).unwrap_err();
    assert_eq!(*lock, before);
    assert!(!lock.update(candidates, overrides).unwrap().is_empty());
    refusal
}

fn kv(lock: &Lock) -> &LockedPlugin {
    lock.plugin(&"kv".parse().unwrap()).unwrap()
}

#[test]
fn add_never_replaces_a_locked_artifact() {
    let mut lock = locked(&[candidate("a-a", 1, "one")]);
    let before = lock.clone();
    for same in [candidate("a-a", 1, "one"), candidate("a-a", None, "one")] {
        assert!(lock.add(&same, Overrides::none()).unwrap().is_empty());
    }
    for other in [candidate("a-a", 1, "two"), candidate("a-a", 2, "one"), signed(candidate("a-a", 1, "one"), 1)] {
        let refusal = lock.add(&other, Overrides::default().dangerous_downgrade()).unwrap_err();
        assert!(matches!(refusal, LockRefusal::Locked { .. }), "{refusal}");
    }
    assert!(matches!(lock.add(&candidate("b-b", 2, "b"), Overrides::none()), Err(LockRefusal::OtherVersion { .. })));
    assert_eq!(lock, before);
    let _ = lock.add(&candidate("b-b", 1, "b"), Overrides::none()).unwrap();
    assert_eq!(kv(&lock).artifacts.len(), 2);
}

#[test]
fn change_shows_removed_and_added_facts() {
    let mut lock = locked(&[signed(candidate("a-a", 1, "one"), 1)]);
    let new = Candidate { note: Some("why\u{202e}".into()), ..signed(candidate("a-a", 2, "two"), 1) };
    let change = lock.update(&[new], Overrides::none()).unwrap();
    let (one, two, key) = (Digest::of("one"), Digest::of("two"), key(1).id());
    let expected = format!(
        "kv: changed\n- version 1.1.0\n- a-a sha256 {one}, signed by key {key}\n+ version 1.2.0\n\
         + note \"why\\u{{202e}}\"\n+ a-a sha256 {two}, signed by key {key}"
    );
    assert_eq!(change.to_string(), expected);
    assert_eq!(change.after(), Some(kv(&lock)));
}

#[test]
fn update_rejects_a_lower_or_unknown_version() {
    let downgrade = Overrides::none().dangerous_downgrade();
    let mut lock = locked(&[candidate("a-a", 2, "two")]);
    let refusal = refused_without(downgrade, &mut lock, &[candidate("a-a", 1, "one")]);
    assert_eq!(refusal.to_string(), "kv would go back from version 1.2.0 to version 1.1.0");
    let refusal = refused_without(downgrade, &mut lock, &[candidate("a-a", None, "unknown")]);
    assert_eq!(refusal.to_string(), "kv would go back from version 1.1.0 to an unknown version");
}

#[test]
fn minimum_version_falls_only_with_an_override() {
    let minimum = |minor, candidate| Candidate { minimum_version: Some(Version::new(1, minor, 0)), ..candidate };
    let mut lock = locked(&[minimum(1, candidate("a-a", 3, "three"))]);
    let _ = lock.update(&[minimum(2, candidate("a-a", 3, "again"))], Overrides::none()).unwrap();
    assert_eq!(kv(&lock).minimum_version, Some(Version::new(1, 2, 0)));
    let _ = lock.update(&[minimum(1, candidate("a-a", 4, "four"))], Overrides::none()).unwrap();
    assert_eq!(kv(&lock).minimum_version, Some(Version::new(1, 2, 0)));
    let overrides = Overrides::none().dangerous_downgrade();
    refused_without(overrides, &mut lock, &[candidate("a-a", 3, "three")]);
    assert_eq!(kv(&lock).minimum_version, Some(Version::new(1, 2, 0)));
    refused_without(overrides, &mut lock, &[candidate("a-a", 1, "one")]);
    assert_eq!(kv(&lock).minimum_version, Some(Version::new(1, 1, 0)));
}

#[test]
fn update_requires_the_locked_signer() {
    let overrides = Overrides::none().dangerous_other_signer();
    for other in [candidate("a-a", 1, "two"), signed(candidate("a-a", 1, "two"), 2)] {
        let mut lock = locked(&[signed(candidate("a-a", 1, "one"), 1)]);
        let refusal = refused_without(overrides, &mut lock, &[other]);
        assert!(matches!(refusal, LockRefusal::OtherSigner { .. }), "{refusal}");
    }
    // The key of one platform is not that of another; where there is none, any of them is.
    let mut lock = locked(&[candidate("c-c", 1, "c"), signed(candidate("a-a", 1, "a"), 1)]);
    let _ = lock.add(&signed(candidate("b-b", 1, "b"), 2), overrides).unwrap();
    refused_without(overrides, &mut lock, &[signed(candidate("a-a", 1, "two"), 2)]);
    refused_without(overrides, &mut lock, &[candidate("c-c", 1, "two")]);
    let further = lock.add(&candidate("d-d", 1, "d"), Overrides::none());
    assert!(matches!(further, Err(LockRefusal::OtherSigner { candidate: None, .. })), "{further:?}");
}

#[test]
fn new_version_replaces_all_platforms() {
    let both = |version| [candidate("a-a", version, "a"), candidate("b-b", version, "b")];
    let mut lock = locked(&both(1));
    let overrides = Overrides::none().drop_platforms();
    let refusal = refused_without(overrides, &mut lock, &[candidate("b-b", 2, "two")]);
    assert_eq!(refusal.to_string(), "kv changes its version, but there is no candidate for a-a");
    assert_eq!(kv(&lock).artifacts.len(), 1);
    let mut lock = locked(&both(1));
    let _ = lock.update(&both(2), Overrides::none()).unwrap();
    assert_eq!(kv(&lock).artifacts.len(), 2);
    // In the same version each is replaced alone.
    let _ = lock.update(&[candidate("a-a", 2, "two")], Overrides::none()).unwrap();
    assert_eq!(kv(&lock).artifacts.len(), 2);
}

#[test]
fn update_rejects_missing_and_mixed_candidates() {
    let mut lock = locked(&[candidate("a-a", 1, "a")]);
    let name = PluginName::clone(&candidate("a-a", 1, "a").name);
    let other = Candidate { name: "zip".parse().unwrap(), ..candidate("a-a", 1, "b") };
    for (candidates, expected) in [
        (vec![], LockRefusal::Nothing),
        (vec![other.clone()], LockRefusal::NotLocked { name: other.name.clone(), platform: None }),
        (vec![candidate("a-a", 1, "b"), other], LockRefusal::Mixed { name: name.clone() }),
        (vec![candidate("a-a", 1, "b"), candidate("a-a", 2, "c")], LockRefusal::Mixed { name: name.clone() }),
        (
            vec![candidate("a-a", 1, "b"), candidate("a-a", 1, "c")],
            LockRefusal::Twice { name: name.clone(), platform: "a-a".parse().unwrap() },
        ),
        (
            vec![candidate("b-b", 1, "b")],
            LockRefusal::NotLocked { name: name.clone(), platform: Some("b-b".parse().unwrap()) },
        ),
    ] {
        assert_eq!(lock.update(&candidates, Overrides::none()), Err(expected));
    }
}

#[test]
fn last_plugin_cannot_be_removed() {
    let mut lock = locked(&[candidate("a-a", 1, "a"), candidate("b-b", 1, "b")]);
    let (kv, a): (PluginName, Platform) = ("kv".parse().unwrap(), "a-a".parse().unwrap());
    let _ = lock.remove(&kv, Some(&a)).unwrap();
    assert!(matches!(lock.remove(&kv, Some(&a)), Err(LockRefusal::NotLocked { platform: Some(_), .. })));
    assert!(matches!(lock.remove(&kv, None), Err(LockRefusal::Last { .. })));
    let zip = Candidate { name: "zip".parse().unwrap(), ..candidate("a-a", 1, "zip") };
    let _ = lock.add(&zip, Overrides::none()).unwrap();
    assert_eq!(lock.remove(&kv, None).unwrap().after(), None);
    assert!(matches!(lock.remove(&kv, None), Err(LockRefusal::NotLocked { platform: None, .. })));
}

#[test]
fn malformed_lock_is_never_created() {
    let mut lock = Lock::new("plugins.lock");
    let note = Candidate { note: Some("two\nlines".into()), ..candidate("a-a", 1, "a") };
    assert!(matches!(lock.add(&note, Overrides::none()), Err(LockRefusal::Malformed(_))));
    assert_eq!(lock.plugins().len(), 0);
}
