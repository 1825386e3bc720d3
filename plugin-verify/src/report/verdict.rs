//! What the examination came to, in sentences, on top of the page. Adds nothing to what the library
//! found.

use maud::{Markup, html};
use portcullis::audit::verifier::{CheckpointMismatch, Damaged, TornTail, TrustedCheckpoint, VerificationReport};

use super::numbers::{count, of};
use super::untrusted::UntrustedText;
use crate::limits::report::{CHECKPOINT_ROWS, KEY_CHARACTERS};

/// How a verdict looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Good,
    Caution,
    Bad,
}

impl Severity {
    fn class(self) -> &'static str {
        match self {
            Self::Good => "verdict good",
            Self::Caution => "verdict caution",
            Self::Bad => "verdict bad",
        }
    }

    /// So that color is not the only thing that says it.
    fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Caution => "!",
            Self::Bad => "✗",
        }
    }
}

pub(super) fn verdict(found: &VerificationReport) -> Markup {
    let (severity, headline) = headline(found);
    html! {
        section class=(severity.class()) aria-labelledby="verdict" {
            h2 #verdict { span .sign aria-hidden="true" { (severity.sign()) } (headline) }
            @if let Some(damaged) = &found.damaged { (damage(damaged)) }
            @if let Some(unfinished) = &found.torn_tail { (tail(unfinished)) }
            @if found.is_intact() { (intact(found)) }
            @if found.origin.is_none() && found.damaged.is_none() {
                p { "The file has no record, not even that of an opening." }
            }
            @if found.first > 0 {
                p { "The records before number " (count(found.first)) " were moved away, and were not examined." }
            }
            @for witness in found.trusted_checkpoints.iter().take(CHECKPOINT_ROWS) { (witnessed(witness)) }
            @if found.trusted_checkpoints.is_empty() && found.origin.is_some() {
                p .aside { "No checkpoint that was kept elsewhere was given: whether records were cut off at the end cannot be told." }
            }
            (facts(found))
        }
    }
}

/// The verdict in a few words.
pub(super) fn words(found: &VerificationReport) -> String {
    headline(found).1
}

fn headline(found: &VerificationReport) -> (Severity, String) {
    let disagrees = found.trusted_checkpoints.iter().find_map(|witness| witness.fault.as_ref());
    let headline = match (&found.damaged, &found.torn_tail, disagrees) {
        (Some(damaged), _, _) => format!("Damaged at record {}", count(damaged.index)),
        (None, _, Some(CheckpointMismatch::Truncated { .. })) => "Cut short".into(),
        (None, _, Some(_)) => "A checkpoint does not agree".into(),
        (None, Some(_), None) => "The last record is unfinished".into(),
        _ if found.origin.is_none() => "Empty".into(),
        // Whoever can write a file can write records that follow each other. Only what is signed is
        // more than that.
        _ if !is_signed(found) => return (Severity::Caution, "In order, and signed by nobody yet".into()),
        _ if found.is_key_trusted && found.uncovered() > 0 => {
            return (Severity::Caution, "Intact, but for an end that nobody has signed yet".into());
        }
        _ if found.is_key_trusted => return (Severity::Good, "Intact".into()),
        _ => return (Severity::Caution, "Agrees with itself".into()),
    };
    (Severity::Bad, headline)
}

/// Whether anybody stands behind the records with a signature.
fn is_signed(found: &VerificationReport) -> bool {
    found.good.covered.is_some() || found.trusted_checkpoints.iter().any(|witness| witness.fault.is_none())
}

fn intact(found: &VerificationReport) -> Markup {
    html! {
        @if !is_signed(found) {
            p {
                "Every record is in its place. But there is no checkpoint yet, and so nothing here is signed: "
                strong { "whoever could write the file could have written all of it." }
            }
        } @else if found.is_key_trusted {
            p { "Every record is in its place, and every checkpoint is signed by the key that was asked for." }
            @if found.uncovered() > 0 {
                p {
                    "No checkpoint is over the last " (of(found.uncovered(), "record", "records")) ": "
                    strong { "whoever could write the file could have written them." }
                    " So it is while a host writes the log, and when it was killed."
                }
            }
        } @else {
            p {
                "Every record is in its place, and every checkpoint agrees. But no key was given, so the log was held against the key that it names itself: "
                strong { "it agrees with itself, and no more is known." }
                " Whoever wrote it anew with a key of their own would pass as well. Name the key with " code { "--key" } " to find out."
            }
        }
    }
}

fn damage(damaged: &Damaged) -> Markup {
    let file = UntrustedText::path(&damaged.file);
    html! {
        p {
            "What should be record " strong { (count(damaged.index)) } " is at line " strong { (count(damaged.line)) }
            " of " code { (file) } ", byte " (count(damaged.offset)) ": "
            strong { (UntrustedText::new(&damaged.fault.to_string())) } "."
        }
        p {
            @match damaged.covered {
                Some(size) => { "A checkpoint vouches for the first " (of(size, "record", "records")) ". " }
                None => { "No checkpoint vouches for what is before it. " }
            }
            "Nothing is known of what stands from there on, and none of it is on this page."
        }
    }
}

fn tail(unfinished: &TornTail) -> Markup {
    let file = UntrustedText::path(&unfinished.file);
    html! {
        p {
            "Line " strong { (count(unfinished.line)) } " of " code { (file) } " has no end. Its writer was killed, or writes now. "
            "The records before it are as they should be."
        }
    }
}

fn witnessed(witness: &TrustedCheckpoint) -> Markup {
    html! {
        p {
            @match &witness.fault {
                Some(_) => { strong { "Disagrees: " } }
                None => { "Agrees: " }
            }
            "the checkpoint " code { (UntrustedText::new(&witness.name)) }
            @if let Some(checkpoint) = &witness.checkpoint { " over " (of(checkpoint.size, "record", "records")) }
            @if let Some(fault) = &witness.fault { ": " (UntrustedText::new(&fault.to_string())) }
            "."
        }
    }
}

fn facts(found: &VerificationReport) -> Markup {
    let Some(key) = &found.key else {
        return Markup::default();
    };
    html! {
        dl .facts {
            dt { "Key" }
            dd {
                code { (UntrustedText::cut(&key.to_string(), KEY_CHARACTERS)) } " "
                span .aside { @if found.is_key_trusted { "asked for" } @else { "named by the log itself" } }
            }
            dt { "Vouched for" }
            dd { (vouched(found)) }
            dt { "Root" }
            dd { code { (found.root.to_string()) } " " span .aside { "over " (of(found.next, "record", "records")) } }
        }
    }
}

fn vouched(found: &VerificationReport) -> String {
    let Some(size) = found.good.covered else {
        return "nothing by the log itself: there is no checkpoint in it".into();
    };
    let checkpoints = of(found.totals.checkpoints, "checkpoint", "checkpoints");
    // The checkpoint itself is a record too.
    match found.next.saturating_sub(size + 1) {
        0 => format!("all {} before the last of {checkpoints}", of(size, "record", "records")),
        after => format!(
            "the first {}, by the last of {checkpoints}; nothing signed stands behind the {} yet",
            of(size, "record", "records"),
            of(after, "record after it", "records after it")
        ),
    }
}
