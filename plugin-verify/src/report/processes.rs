//! Plugins and the histories of their processes, from launch to exit. Follows only the latest
//! launches, and reports how many it dropped.

use std::collections::BTreeMap;

use portcullis::event::{Event, LaunchId, VerifiedImage};

use super::bounded::TopN;
use super::untrusted::UntrustedText;
use crate::limits::report::{COUNTED_PLUGINS, FOLLOWED_LAUNCHES, LISTED_ATTESTATIONS, NAME_CHARACTERS};

/// A plugin by its name and the digest of its image.
pub(super) type PluginKey = (UntrustedText, String);

#[derive(Debug, Default)]
pub(super) struct Launches {
    plugins: TopN<PluginKey, Plugin, COUNTED_PLUGINS>,
    /// By the index of the launch record.
    histories: BTreeMap<u64, ProcessHistory>,
    /// The index of the latest launch record with this ID.
    names: BTreeMap<LaunchId, u64>,
    total: u64,
}

/// A plugin image and the outcomes of its launches.
#[derive(Debug, Clone, Default)]
pub(super) struct Plugin {
    pub(super) size: u64,
    pub(super) mode: UntrustedText,
    pub(super) manifest: Option<String>,
    pub(super) attestations: Vec<UntrustedText>,
    pub(super) launches: u64,
    pub(super) failed: u64,
    pub(super) ended: u64,
    /// Launches without a recorded end, or dropped before it.
    pub(super) open: u64,
}

/// The history of one launch.
#[derive(Debug)]
pub(super) struct ProcessHistory {
    pub(super) id: LaunchId,
    pub(super) time: String,
    pub(super) plugin: PluginKey,
    pub(super) is_ready: bool,
    pub(super) calls: u64,
    /// Whether the launch was refused, and why it failed.
    pub(super) failure: Option<(bool, UntrustedText)>,
    /// The exit of the process.
    pub(super) exit: Option<UntrustedText>,
    /// The shutdown step that ended it.
    pub(super) ending: Option<UntrustedText>,
}

impl Launches {
    pub(super) fn take(&mut self, index: u64, time: &str, event: &Event) {
        match event {
            Event::Verification(it) => {
                if let Some(image) = &it.image {
                    self.plugin(&it.plugin, image);
                }
            }
            Event::Launch(it) => {
                let plugin = self.plugin(&it.plugin, &it.image);
                self.total += 1;
                self.names.insert(it.launch, index);
                self.histories.insert(index, ProcessHistory::new(it.launch, time, plugin));
                self.forget();
            }
            _ => self.continue_history(event),
        }
    }

    fn continue_history(&mut self, event: &Event) {
        let Some(history) =
            event.launch().and_then(|id| self.names.get(&id)).and_then(|index| self.histories.get_mut(index))
        else {
            return;
        };
        match event {
            Event::Ready(_) => history.is_ready = true,
            Event::Call(_) => history.calls += 1,
            Event::LaunchFailed(it) => {
                history.failure = Some((it.refused, UntrustedText::new(&it.reason)));
                history.exit = it.exit.as_deref().map(UntrustedText::new).or(history.exit.take());
            }
            Event::Exit(it) => history.exit = Some(UntrustedText::new(&it.exit)),
            Event::Shutdown(it) => history.ending = Some(UntrustedText::new(&it.ending)),
            _ => {}
        }
    }

    fn plugin(&mut self, name: &str, image: &VerifiedImage) -> PluginKey {
        let key = (UntrustedText::new(name), image.sha256.to_string());
        let plugin = self.plugins.entry(key.clone());
        plugin.size = image.size;
        plugin.mode = UntrustedText::cut(&image.mode, NAME_CHARACTERS);
        plugin.manifest = image.manifest.map(|digest| digest.to_string());
        plugin.attestations = image
            .attestations
            .iter()
            .take(LISTED_ATTESTATIONS)
            .map(|attestation| UntrustedText::new(attestation))
            .collect();
        key
    }

    /// Drops the oldest launch if there are too many. Its outcome so far is counted.
    fn forget(&mut self) {
        if self.histories.len() <= FOLLOWED_LAUNCHES {
            return;
        }
        if let Some((index, history)) = self.histories.pop_first() {
            if self.names.get(&history.id) == Some(&index) {
                self.names.remove(&history.id);
            }
            history.count(self.plugins.entry(history.plugin.clone()));
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The plugin of a launch that is still followed.
    pub(super) fn plugin_of(&self, id: LaunchId) -> Option<&UntrustedText> {
        let history = self.names.get(&id).and_then(|index| self.histories.get(index));
        history.map(|history| &history.plugin.0)
    }

    /// The latest launches, the oldest of them first.
    pub(super) fn latest(&self, shown: usize) -> impl Iterator<Item = &ProcessHistory> {
        self.histories.values().skip(self.histories.len().saturating_sub(shown))
    }

    /// The plugins, with the outcomes of their launches.
    pub(super) fn plugins(&self) -> TopN<PluginKey, Plugin, COUNTED_PLUGINS> {
        let mut plugins = self.plugins.clone();
        for history in self.histories.values() {
            history.count(plugins.entry(history.plugin.clone()));
        }
        plugins
    }
}

impl ProcessHistory {
    fn new(id: LaunchId, time: &str, plugin: PluginKey) -> Self {
        let time = time.to_owned();
        Self { id, time, plugin, is_ready: false, calls: 0, failure: None, exit: None, ending: None }
    }

    fn count(&self, plugin: &mut Plugin) {
        plugin.launches += 1;
        match (&self.failure, &self.exit) {
            (Some(_), _) => plugin.failed += 1,
            (None, Some(_)) => plugin.ended += 1,
            (None, None) => plugin.open += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> Event {
        serde_json::from_str(text).unwrap()
    }

    fn launch(number: usize) -> Event {
        let digest = "a".repeat(64);
        event(&format!(
            r#"{{"type":"launch","launch":"{number:016x}","plugin":"kv","image":{{"sha256":"{digest}","size":1,"mode":"m","cached":false,
            "vouchers":["policy"]}},"arguments":[],"versions":[1],"timeout_ms":1}}"#
        ))
    }

    fn exit(number: usize) -> Event {
        event(&format!(r#"{{"type":"exit","launch":"{number:016x}","pid":1,"exit":"exit status 0"}}"#))
    }

    #[test]
    fn launch_is_followed_to_its_end() {
        let mut launches = Launches::default();
        let failed = event(r#"{"type":"launch_failed","launch":"0000000000000001","refused":true,"reason":"why"}"#);
        for (index, event) in [launch(0), launch(1), launch(2), exit(0), failed, exit(9)].iter().enumerate() {
            launches.take(index as u64, "now", event);
        }
        let plugins = launches.plugins();
        let plugin = plugins.values().next().unwrap();
        assert_eq!((plugin.launches, plugin.ended, plugin.failed, plugin.open), (3, 1, 1, 1));
        assert_eq!(
            launches.latest(2).map(|history| history.id).collect::<Vec<_>>(),
            [LaunchId::new(1), LaunchId::new(2)]
        );
    }

    #[test]
    fn dropped_oldest_launches_are_still_counted() {
        let mut launches = Launches::default();
        for number in 0..FOLLOWED_LAUNCHES + 10 {
            launches.take(number as u64, "now", &launch(number));
        }
        let plugins = launches.plugins();
        let plugin = plugins.values().next().unwrap();
        assert_eq!((launches.histories.len(), launches.names.len()), (FOLLOWED_LAUNCHES, FOLLOWED_LAUNCHES));
        assert_eq!((plugin.launches, launches.total()), (FOLLOWED_LAUNCHES as u64 + 10, FOLLOWED_LAUNCHES as u64 + 10));
        assert!(launches.plugin_of(LaunchId::new(3)).is_none() && launches.plugin_of(LaunchId::new(10)).is_some());
    }
}
