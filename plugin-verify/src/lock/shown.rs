//! Changes of a lock file, for those who review them. Changes nothing.

use std::path::Path;

use cli_support::Exit;
use portcullis::Escaped;
use portcullis::authoring::{Change, Offer};
use portcullis::verify::{LockedPlugin, Subject};
use serde_json::{Value, json};

use crate::OUTPUT;

/// Shows what was written to the lock file, and warns of what was agreed to without being examined.
pub(super) fn changes(verb: &str, place: &super::Place, changes: &[Change], offers: &[Offer]) -> Exit {
    let unexamined: Vec<String> = offers.iter().filter(|offer| !offer.runs_here()).map(unexamined).collect();
    if place.format.json {
        let changes: Vec<Value> = changes.iter().map(document).collect();
        let body = [("lock", escaped(&place.lock)), ("changes", changes.into()), ("unexamined", unexamined.into())];
        return OUTPUT.json(verb, Exit::Success, body);
    }
    for foreign in unexamined {
        OUTPUT.warn(format_args!("{foreign} cannot run here: only its bytes are known"));
    }
    let text: String = changes.iter().map(|change| format!("{change}\n")).collect();
    OUTPUT.print(text, Exit::Success)
}

fn unexamined(offer: &Offer) -> String {
    format!("{} for {}", offer.name(), offer.platform())
}

fn escaped(path: &Path) -> Value {
    Escaped::path(path).to_string().into()
}

fn document(change: &Change) -> Value {
    json!({
        "name": change.name().to_string(), "changed": !change.is_empty(),
        "before": change.before().map(plugin), "after": change.after().map(plugin),
    })
}

fn plugin(plugin: &LockedPlugin) -> Value {
    let artifacts = plugin.artifacts.iter().map(|(platform, artifact)| {
        let kind = match artifact.subject {
            Subject::Manifest(_) => "manifest",
            _ => "sha256",
        };
        json!({
            "platform": platform.to_string(), kind: artifact.subject.digest().to_string(),
            "vouched_by": artifact.vouched_by.map(|key| key.to_string()),
        })
    });
    json!({
        "version": plugin.version.as_ref().map(ToString::to_string),
        "minimum_version": plugin.minimum_version.as_ref().map(ToString::to_string),
        "note": plugin.note.as_ref().map(|note| Escaped::new(note).to_string()),
        "artifacts": artifacts.collect::<Vec<_>>(),
    })
}
