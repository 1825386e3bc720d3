//! Lock files: a lock that is read and written reads back equal, in one canonical form, and keeps
//! the rules that a reviewer relies on.

use std::path::Path;

use portcullis::verify::{Lock, LockedPlugin, Platform};

use super::display;

const NAME: &str = "plugins.lock";

/// Whether `bytes` are a lock file.
pub fn check(bytes: &[u8]) -> bool {
    let Some(lock) = display::accepted(Lock::from_bytes(NAME, bytes), NAME, bytes) else {
        return false;
    };
    assert_eq!(lock.path(), Path::new(NAME));
    assert!(lock.plugins().len() > 0, "it locks no plugin");
    let text = lock.to_text();
    assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
    let again = Lock::from_bytes(NAME, text.as_bytes()).expect("our own text parses");
    assert_eq!(again, lock);
    assert_eq!(again.to_text(), text);
    for (name, plugin) in lock.plugins() {
        display::one_line(name);
        assert_eq!(lock.plugin(name), Some(plugin));
        is_sound(plugin);
        let platforms = plugin.artifacts.keys().chain([&Platform::any()]).cloned().collect::<Vec<_>>();
        for platform in platforms {
            let expected = plugin.artifacts.get(&platform).or_else(|| plugin.artifacts.get(&Platform::any()));
            assert_eq!(lock.artifact(name, &platform), expected);
        }
    }
    let unknown = display::extended(bytes, "unknown_key = 1");
    assert!(Lock::from_bytes(NAME, unknown).is_err(), "an unknown key is accepted");
    true
}

fn is_sound(plugin: &LockedPlugin) {
    assert!(!plugin.artifacts.is_empty());
    if let (Some(version), Some(minimum)) = (&plugin.version, &plugin.minimum_version) {
        assert!(version >= minimum);
    }
    if let Some(note) = &plugin.note {
        assert!(note.chars().count() <= 500 && !note.chars().any(char::is_control), "{note:?}");
    }
    for (platform, artifact) in &plugin.artifacts {
        display::one_line(platform);
        artifact.signed_by.iter().for_each(|key| display::one_line(key));
    }
}
