//! The verdict at the top of the page, in sentences. Adds nothing to the result of the library.

use maud::{Markup, html};
use portcullis::audit::verifier::{CheckpointMismatch, Damaged, IncompleteLine, TrustedCheckpoint, VerificationReport};

use super::numbers::{count, of};
use super::untrusted::UntrustedText;
use crate::limits::report::{CHECKPOINT_ROWS, KEY_CHARACTERS};

/// The severity of a verdict.
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

    /// A sign for the severity, so that color is not the only difference.
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
                p { "The file has no records, not even of its opening." }
            }
            @if found.first > 0 {
                p { "The records before number " (count(found.first)) " are in segments that are not in this directory, and were not verified." }
            }
            @for checkpoint in found.trusted_checkpoints.iter().take(CHECKPOINT_ROWS) { (trusted_checkpoint(checkpoint)) }
            @if found.trusted_checkpoints.is_empty() && found.origin.is_some() {
                p .aside { "No trusted checkpoint was given: records could have been cut off at the end." }
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
    let disagrees = found.trusted_checkpoints.iter().find_map(|checkpoint| checkpoint.fault.as_ref());
    let headline = match (&found.damaged, &found.torn_tail, disagrees) {
        (Some(damaged), _, _) => format!("Damaged at record {}", count(damaged.index)),
        (None, _, Some(CheckpointMismatch::Truncated { .. })) => "Cut short".into(),
        (None, _, Some(_)) => "A checkpoint disagrees".into(),
        (None, Some(_), None) => "The last record is unfinished".into(),
        _ if found.origin.is_none() => "Empty".into(),
        // Anyone who can write the file can write a consistent chain. Only a signature shows more.
        _ if !is_signed(found) => return (Severity::Caution, "Consistent, but not signed yet".into()),
        _ if found.is_key_trusted && found.uncovered() > 0 => {
            return (Severity::Caution, "Intact, except for an unsigned end".into());
        }
        _ if found.is_key_trusted => return (Severity::Good, "Intact".into()),
        _ => return (Severity::Caution, "Consistent with its own key".into()),
    };
    (Severity::Bad, headline)
}

/// Whether a signature covers any record.
fn is_signed(found: &VerificationReport) -> bool {
    found.good.covered.is_some() || found.trusted_checkpoints.iter().any(|checkpoint| checkpoint.fault.is_none())
}

fn intact(found: &VerificationReport) -> Markup {
    html! {
        @if !is_signed(found) {
            p {
                "Every record is in its place. But there is no checkpoint yet, so nothing is signed: "
                strong { "anyone who can write the file could have written all of it." }
            }
        } @else if found.is_key_trusted {
            p { "Every record is in its place, and every checkpoint is signed by the trusted key." }
            @if found.uncovered() > 0 {
                p {
                    "No checkpoint covers the last " (of(found.uncovered(), "record", "records")) ": "
                    strong { "anyone who can write the file could have written them." }
                    " This is normal while a host writes the log, and after it was killed."
                }
            }
        } @else {
            p {
                "Every record is in its place, and every checkpoint agrees. But no key was given, so the log was verified with the key that it names itself: "
                strong { "it is consistent, and nothing more is known." }
                " An attacker who rewrote it with another key would pass too. Name the trusted key with " code { "--key" } "."
            }
        }
    }
}

fn damage(damaged: &Damaged) -> Markup {
    let file = UntrustedText::path(&damaged.file);
    html! {
        p {
            "Expected record " strong { (count(damaged.index)) } " at line " strong { (count(damaged.line)) }
            " of " code { (file) } ", byte " (count(damaged.offset)) ": "
            strong { (UntrustedText::new(&damaged.fault.to_string())) } "."
        }
        p {
            @match damaged.covered {
                Some(size) => { "A checkpoint covers the first " (of(size, "record", "records")) ". " }
                None => { "No checkpoint covers the records before it. " }
            }
            "Nothing is known of the records from there on, and this page shows none of them."
        }
    }
}

fn tail(unfinished: &IncompleteLine) -> Markup {
    let file = UntrustedText::path(&unfinished.file);
    html! {
        p {
            "Line " strong { (count(unfinished.line)) } " of " code { (file) } " is unfinished. Its writer was killed, or is writing now. "
            "The records before it are intact."
        }
    }
}

fn trusted_checkpoint(trusted: &TrustedCheckpoint) -> Markup {
    html! {
        p {
            @match &trusted.fault {
                Some(_) => { strong { "Disagrees: " } }
                None => { "Agrees: " }
            }
            "the checkpoint " code { (UntrustedText::new(&trusted.name)) }
            @if let Some(checkpoint) = &trusted.checkpoint { " over " (of(checkpoint.size, "record", "records")) }
            @if let Some(fault) = &trusted.fault { ": " (UntrustedText::new(&fault.to_string())) }
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
                span .aside { @if found.is_key_trusted { "trusted" } @else { "named by the log itself" } }
            }
            dt { "Covered" }
            dd { (covered(found)) }
            dt { "Root" }
            dd { code { (found.root.to_string()) } " " span .aside { "over " (of(found.next, "record", "records")) } }
        }
    }
}

fn covered(found: &VerificationReport) -> String {
    let Some(size) = found.good.covered else {
        return "nothing: the log holds no checkpoint".into();
    };
    let checkpoints = of(found.totals.checkpoints, "checkpoint", "checkpoints");
    // The record of the checkpoint itself needs no cover.
    match found.next.saturating_sub(size + 1) {
        0 => format!("all {} before the last of {checkpoints}", of(size, "record", "records")),
        after => format!(
            "the first {}, by the last of {checkpoints}; the {} not covered yet",
            of(size, "record", "records"),
            of(after, "record after it is", "records after it are")
        ),
    }
}
