//! What may become of a lock file: which agreements are new, which replace an earlier one, and
//! which of them would weaken it and so need a word of their own. Looks at no file.

use std::collections::BTreeSet;

use super::change::Change;
use super::{LockRefusal, Offer};
use crate::verify::sources::lock::fault;
use crate::verify::{Artifact, Lock, LockedPlugin, Platform, PluginName, PublicKey, Version};

/// What is agreed to expressly although it weakens an agreement. By default nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Consent {
    downgrade: bool,
    other_signer: bool,
    drop_platforms: bool,
}

impl Consent {
    /// To nothing that weakens an agreement.
    pub fn none() -> Self {
        Self::default()
    }

    /// To a version below the locked one, or to one that nobody knows. A minimum version above it
    /// is lowered to it.
    pub fn dangerous_downgrade(mut self) -> Self {
        self.downgrade = true;
        self
    }

    /// To an artifact that the key which vouched so far does not vouch for: another key does, or
    /// nobody.
    pub fn dangerous_other_signer(mut self) -> Self {
        self.other_signer = true;
        self
    }

    /// To the end of the agreement on platforms for which there is no build of the new version yet.
    pub fn drop_platforms(mut self) -> Self {
        self.drop_platforms = true;
        self
    }
}

impl Lock {
    /// Agrees to an artifact for a platform for which there was none. Bytes that were agreed to
    /// already, and of which nothing new is said, change nothing.
    ///
    /// # Errors
    ///
    /// When another artifact is locked for that platform, when the other platforms of the plugin
    /// are locked in another version, and when they were vouched for by keys that do not vouch for
    /// this one, unless that is consented to.
    pub fn agree(&mut self, offer: &Offer, consent: Consent) -> Result<Change, LockRefusal> {
        let name = &offer.name;
        let Some(before) = self.plugins.get(name) else {
            let new = LockedPlugin {
                version: offer.version.clone(),
                minimum_version: offer.minimum_version.clone(),
                note: offer.note.clone(),
                artifacts: [(offer.platform.clone(), offer.artifact())].into(),
            };
            return self.settle(name, Some(new));
        };
        if let Some(locked) = before.artifacts.get(&offer.platform) {
            return match is_part_of(offer, before, locked) {
                true => Ok(Change::new(name.clone(), Some(before.clone()), Some(before.clone()))),
                false => Err(LockRefusal::Locked {
                    name: name.clone(),
                    platform: offer.platform.clone(),
                    locked: locked.subject.digest(),
                    offered: offer.subject.digest(),
                }),
            };
        }
        if before.version != offer.version {
            let (locked, offered) = (before.version.clone(), offer.version.clone());
            return Err(LockRefusal::OtherVersion { name: name.clone(), locked, offered });
        }
        refuse_other_signer(before, offer, consent)?;
        let after = with(before.clone(), offer);
        self.settle(name, Some(after))
    }

    /// Replaces artifacts of one plugin that were agreed to: one `offers` for each platform, all of
    /// one version. The minimum version rises with what the manifests say, and does not fall.
    ///
    /// When the version changes, every platform that is locked changes with it: bytes of an earlier
    /// version do not stay under the name of the new.
    ///
    /// # Errors
    ///
    /// When an offer replaces nothing, and when one of them weakens what was agreed to and
    /// `consent` does not name that: it is a lower version or an unknown one, it is vouched for by
    /// another key or by none, or a platform would be left without the new version.
    pub fn update(&mut self, offers: &[Offer], consent: Consent) -> Result<Change, LockRefusal> {
        let Some(Offer { name, version, .. }) = offers.first() else { return Err(LockRefusal::Nothing) };
        let not_locked = |platform| LockRefusal::NotLocked { name: name.clone(), platform };
        let before = self.plugins.get(name).ok_or_else(|| not_locked(None))?;
        if offers.iter().any(|offer| offer.name != *name || offer.version != *version) {
            return Err(LockRefusal::Mixed { name: name.clone() });
        }
        let mut platforms = BTreeSet::new();
        for offer in offers {
            if !before.artifacts.contains_key(&offer.platform) && before.version == *version {
                return Err(not_locked(Some(offer.platform.clone())));
            }
            if !platforms.insert(&offer.platform) {
                return Err(LockRefusal::Twice { name: name.clone(), platform: offer.platform.clone() });
            }
            refuse_other_signer(before, offer, consent)?;
        }
        let mut after = before.clone();
        after.minimum_version = lowest(name, before, version.as_ref(), consent)?;
        if before.version != *version {
            let left = before.artifacts.keys().filter(|platform| !platforms.contains(platform));
            let left: Vec<Platform> = left.cloned().collect();
            if !left.is_empty() && !consent.drop_platforms {
                return Err(LockRefusal::PlatformsLeft { name: name.clone(), platforms: left });
            }
            after.artifacts.retain(|platform, _| platforms.contains(platform));
        }
        after.version = version.clone();
        let after = offers.iter().fold(after, with);
        self.settle(name, Some(after))
    }

    /// Ends the agreement on a plugin, for one platform or for all.
    ///
    /// # Errors
    ///
    /// When there is none, and when it is the last of the lock file.
    pub fn withdraw(&mut self, name: &PluginName, platform: Option<&Platform>) -> Result<Change, LockRefusal> {
        let not_locked = || LockRefusal::NotLocked { name: name.clone(), platform: platform.cloned() };
        let mut after = self.plugins.get(name).ok_or_else(not_locked)?.clone();
        match platform {
            None => after.artifacts.clear(),
            Some(platform) => {
                after.artifacts.remove(platform).ok_or_else(not_locked)?;
            }
        }
        if !after.artifacts.is_empty() {
            return self.settle(name, Some(after));
        }
        match self.plugins.len() {
            1 => Err(LockRefusal::Last { name: name.clone() }),
            _ => self.settle(name, None),
        }
    }

    fn settle(&mut self, name: &PluginName, after: Option<LockedPlugin>) -> Result<Change, LockRefusal> {
        if let Some(fault) = after.as_ref().and_then(|after| fault(name, after)) {
            return Err(fault.into());
        }
        let before = match &after {
            Some(after) => self.insert(name.clone(), after.clone()),
            None => self.remove(name),
        };
        Ok(Change::new(name.clone(), before, after))
    }
}

/// Whether everything that an offer says was agreed to already.
fn is_part_of(offer: &Offer, before: &LockedPlugin, locked: &Artifact) -> bool {
    fn says_no_other<T: PartialEq>(offered: &Option<T>, locked: &Option<T>) -> bool {
        offered.is_none() || offered == locked
    }
    offer.subject == locked.subject
        && says_no_other(&offer.vouched_by, &locked.vouched_by)
        && says_no_other(&offer.version, &before.version)
        && says_no_other(&offer.minimum_version, &before.minimum_version)
        && says_no_other(&offer.note, &before.note)
}

/// The plugin with what is offered in it.
fn with(mut plugin: LockedPlugin, offer: &Offer) -> LockedPlugin {
    plugin.artifacts.insert(offer.platform.clone(), offer.artifact());
    plugin.minimum_version = plugin.minimum_version.max(offer.minimum_version.clone());
    plugin.note = offer.note.clone().or(plugin.note);
    plugin
}

/// The minimum version that stays, if the version may become `offered` at all.
fn lowest(
    name: &PluginName,
    before: &LockedPlugin,
    offered: Option<&Version>,
    consent: Consent,
) -> Result<Option<Version>, LockRefusal> {
    let minimum = before.minimum_version.clone();
    let highest = before.version.as_ref().max(minimum.as_ref());
    match (highest, offered) {
        (Some(locked), offered) if offered.is_none_or(|offered| offered < locked) => match consent.downgrade {
            // With a minimum, a version that nobody knows would never run.
            true => Ok(minimum.zip(offered).map(|(minimum, offered)| minimum.min(offered.clone()))),
            false => {
                Err(LockRefusal::Downgrade { name: name.clone(), locked: locked.clone(), offered: offered.cloned() })
            }
        },
        _ => Ok(minimum),
    }
}

/// Whoever vouched for the artifact that is replaced, or else for any of the plugin, vouches for
/// what is offered too.
fn refuse_other_signer(before: &LockedPlugin, offer: &Offer, consent: Consent) -> Result<(), LockRefusal> {
    let of_platform = before.artifacts.get(&offer.platform).and_then(|artifact| artifact.vouched_by);
    let keys: BTreeSet<PublicKey> = match of_platform {
        Some(key) => [key].into(),
        None => before.artifacts.values().filter_map(|artifact: &Artifact| artifact.vouched_by).collect(),
    };
    if keys.is_empty() || consent.other_signer || offer.vouched_by.is_some_and(|key| keys.contains(&key)) {
        return Ok(());
    }
    let locked = keys.into_iter().collect();
    Err(LockRefusal::OtherSigner { name: offer.name.clone(), locked, offered: offer.vouched_by })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::{Digest, Subject};

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    fn key(id: u8) -> PublicKey {
        use base64::Engine as _;
        let base64 = base64::engine::general_purpose::STANDARD;
        let mut bytes = base64.decode(KEY).unwrap();
        bytes[2] = id;
        base64.encode(bytes).parse().unwrap()
    }

    fn offer(platform: &str, version: impl Into<Option<u64>>, bytes: &str) -> Offer {
        Offer {
            name: "kv".parse().unwrap(),
            platform: platform.parse().unwrap(),
            version: version.into().map(|minor| Version::new(1, minor, 0)),
            minimum_version: None,
            note: None,
            subject: Subject::File(Digest::of(bytes)),
            vouched_by: None,
        }
    }

    fn signed(offer: Offer, id: u8) -> Offer {
        Offer { vouched_by: Some(key(id)), ..offer }
    }

    fn locked(offers: &[Offer]) -> Lock {
        let mut lock = Lock::new("plugins.lock");
        for offer in offers {
            assert!(!lock.agree(offer, Consent::none()).unwrap().is_empty());
        }
        lock
    }

    /// What an update is refused for, which changes nothing; and that it is made with this consent.
    fn refused_without(consent: Consent, lock: &mut Lock, offers: &[Offer]) -> LockRefusal {
        let before = lock.clone();
        let refusal = lock.update(offers, Consent::none()).unwrap_err();
        assert_eq!(*lock, before);
        assert!(!lock.update(offers, consent).unwrap().is_empty());
        refusal
    }

    fn kv(lock: &Lock) -> &LockedPlugin {
        lock.plugin(&"kv".parse().unwrap()).unwrap()
    }

    #[test]
    fn what_is_locked_is_replaced_by_an_update_only() {
        let mut lock = locked(&[offer("a-a", 1, "one")]);
        let before = lock.clone();
        for same in [offer("a-a", 1, "one"), offer("a-a", None, "one")] {
            assert!(lock.agree(&same, Consent::none()).unwrap().is_empty());
        }
        for other in [offer("a-a", 1, "two"), offer("a-a", 2, "one"), signed(offer("a-a", 1, "one"), 1)] {
            let refusal = lock.agree(&other, Consent::default().dangerous_downgrade()).unwrap_err();
            assert!(matches!(refusal, LockRefusal::Locked { .. }), "{refusal}");
        }
        assert!(matches!(lock.agree(&offer("b-b", 2, "b"), Consent::none()), Err(LockRefusal::OtherVersion { .. })));
        assert_eq!(lock, before);
        let _ = lock.agree(&offer("b-b", 1, "b"), Consent::none()).unwrap();
        assert_eq!(kv(&lock).artifacts.len(), 2);
    }

    #[test]
    fn an_update_shows_what_is_gone_and_what_is_new() {
        let mut lock = locked(&[signed(offer("a-a", 1, "one"), 1)]);
        let new = Offer { note: Some("why\u{202e}".into()), ..signed(offer("a-a", 2, "two"), 1) };
        let change = lock.update(&[new], Consent::none()).unwrap();
        let (one, two, key) = (Digest::of("one"), Digest::of("two"), key(1).id());
        let expected = format!(
            "kv: changed\n- version 1.1.0\n- a-a sha256 {one}, vouched for by key {key}\n+ version 1.2.0\n\
             + note \"why\\u{{202e}}\"\n+ a-a sha256 {two}, vouched for by key {key}"
        );
        assert_eq!(change.to_string(), expected);
        assert_eq!(change.after(), Some(kv(&lock)));
    }

    #[test]
    fn no_version_below_the_locked_one_comes_back() {
        let downgrade = Consent::none().dangerous_downgrade();
        let mut lock = locked(&[offer("a-a", 2, "two")]);
        let refusal = refused_without(downgrade, &mut lock, &[offer("a-a", 1, "one")]);
        assert_eq!(refusal.to_string(), "kv would go back to version 1.1.0, from version 1.2.0");
        let refusal = refused_without(downgrade, &mut lock, &[offer("a-a", None, "unknown")]);
        assert_eq!(refusal.to_string(), "kv would go back to a version that nobody knows, from version 1.1.0");
    }

    #[test]
    fn a_minimum_version_rises_and_falls_by_name_only() {
        let minimum = |minor, offer| Offer { minimum_version: Some(Version::new(1, minor, 0)), ..offer };
        let mut lock = locked(&[minimum(1, offer("a-a", 3, "three"))]);
        let _ = lock.update(&[minimum(2, offer("a-a", 3, "again"))], Consent::none()).unwrap();
        assert_eq!(kv(&lock).minimum_version, Some(Version::new(1, 2, 0)));
        let _ = lock.update(&[minimum(1, offer("a-a", 4, "four"))], Consent::none()).unwrap();
        assert_eq!(kv(&lock).minimum_version, Some(Version::new(1, 2, 0)));
        let consent = Consent::none().dangerous_downgrade();
        refused_without(consent, &mut lock, &[offer("a-a", 3, "three")]);
        assert_eq!(kv(&lock).minimum_version, Some(Version::new(1, 2, 0)));
        refused_without(consent, &mut lock, &[offer("a-a", 1, "one")]);
        assert_eq!(kv(&lock).minimum_version, Some(Version::new(1, 1, 0)));
    }

    #[test]
    fn whoever_vouched_so_far_vouches_for_what_comes_next() {
        let consent = Consent::none().dangerous_other_signer();
        for other in [offer("a-a", 1, "two"), signed(offer("a-a", 1, "two"), 2)] {
            let mut lock = locked(&[signed(offer("a-a", 1, "one"), 1)]);
            let refusal = refused_without(consent, &mut lock, &[other]);
            assert!(matches!(refusal, LockRefusal::OtherSigner { .. }), "{refusal}");
        }
        // The key of one platform is not that of another; where there is none, any of them is.
        let mut lock = locked(&[offer("c-c", 1, "c"), signed(offer("a-a", 1, "a"), 1)]);
        let _ = lock.agree(&signed(offer("b-b", 1, "b"), 2), consent).unwrap();
        refused_without(consent, &mut lock, &[signed(offer("a-a", 1, "two"), 2)]);
        refused_without(consent, &mut lock, &[offer("c-c", 1, "two")]);
        let further = lock.agree(&offer("d-d", 1, "d"), Consent::none());
        assert!(matches!(further, Err(LockRefusal::OtherSigner { offered: None, .. })), "{further:?}");
    }

    #[test]
    fn bytes_of_an_earlier_version_do_not_stay_under_the_name_of_the_new() {
        let both = |version| [offer("a-a", version, "a"), offer("b-b", version, "b")];
        let mut lock = locked(&both(1));
        let consent = Consent::none().drop_platforms();
        let refusal = refused_without(consent, &mut lock, &[offer("b-b", 2, "two")]);
        assert_eq!(refusal.to_string(), "kv changes its version, and nothing is offered for a-a");
        assert_eq!(kv(&lock).artifacts.len(), 1);
        let mut lock = locked(&both(1));
        let _ = lock.update(&both(2), Consent::none()).unwrap();
        assert_eq!(kv(&lock).artifacts.len(), 2);
        // In the same version each is replaced alone.
        let _ = lock.update(&[offer("a-a", 2, "two")], Consent::none()).unwrap();
        assert_eq!(kv(&lock).artifacts.len(), 2);
    }

    #[test]
    fn an_update_replaces_what_is_there_once() {
        let mut lock = locked(&[offer("a-a", 1, "a")]);
        let name = PluginName::clone(&offer("a-a", 1, "a").name);
        let other = Offer { name: "zip".parse().unwrap(), ..offer("a-a", 1, "b") };
        for (offers, expected) in [
            (vec![], LockRefusal::Nothing),
            (vec![other.clone()], LockRefusal::NotLocked { name: other.name.clone(), platform: None }),
            (vec![offer("a-a", 1, "b"), other], LockRefusal::Mixed { name: name.clone() }),
            (vec![offer("a-a", 1, "b"), offer("a-a", 2, "c")], LockRefusal::Mixed { name: name.clone() }),
            (
                vec![offer("a-a", 1, "b"), offer("a-a", 1, "c")],
                LockRefusal::Twice { name: name.clone(), platform: "a-a".parse().unwrap() },
            ),
            (
                vec![offer("b-b", 1, "b")],
                LockRefusal::NotLocked { name: name.clone(), platform: Some("b-b".parse().unwrap()) },
            ),
        ] {
            assert_eq!(lock.update(&offers, Consent::none()), Err(expected));
        }
    }

    #[test]
    fn an_agreement_ends_for_a_platform_or_for_all_but_never_the_last() {
        let mut lock = locked(&[offer("a-a", 1, "a"), offer("b-b", 1, "b")]);
        let (kv, a): (PluginName, Platform) = ("kv".parse().unwrap(), "a-a".parse().unwrap());
        let _ = lock.withdraw(&kv, Some(&a)).unwrap();
        assert!(matches!(lock.withdraw(&kv, Some(&a)), Err(LockRefusal::NotLocked { platform: Some(_), .. })));
        assert!(matches!(lock.withdraw(&kv, None), Err(LockRefusal::Last { .. })));
        let zip = Offer { name: "zip".parse().unwrap(), ..offer("a-a", 1, "zip") };
        let _ = lock.agree(&zip, Consent::none()).unwrap();
        assert_eq!(lock.withdraw(&kv, None).unwrap().after(), None);
        assert!(matches!(lock.withdraw(&kv, None), Err(LockRefusal::NotLocked { platform: None, .. })));
    }

    #[test]
    fn what_would_be_no_lock_file_is_not_agreed_to() {
        let mut lock = Lock::new("plugins.lock");
        let note = Offer { note: Some("two\nlines".into()), ..offer("a-a", 1, "a") };
        assert!(matches!(lock.agree(&note, Consent::none()), Err(LockRefusal::Malformed(_))));
        assert_eq!(lock.plugins().len(), 0);
    }
}
