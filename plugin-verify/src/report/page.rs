//! The page: head, header, the order of its sections, footer. One file that loads and runs nothing.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use portcullis::Digest;
use portcullis::audit::verifier::VerificationReport;

use super::numbers::{count, moment};
use super::summary::LogSummary;
use super::untrusted::UntrustedText;
use super::{chart, tables, verdict};

const STYLE: &str = include_str!("style.css");

pub(super) fn page(log: &Path, found: &VerificationReport, summary: &LogSummary) -> String {
    let file = UntrustedText::path(log);
    let name = found.origin.as_deref().map_or_else(|| file.clone(), UntrustedText::new);
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&name, &verdict::words(found)))
            body {
                header {
                    p .kind { "Audit report" }
                    h1 { (name) }
                    @if let Some(period) = period(found) { p .aside { code { (file) } " · " (period) } }
                }
                main {
                    (verdict::verdict(found))
                    @if found.next > found.first { (glance(found, summary)) (parts(found, summary)) }
                }
                (footer(found))
            }
        }
    };
    body.into_string()
}

fn head(name: &UntrustedText, verdict: &str) -> Markup {
    // The policy allows this one style, by its hash: not even an injected style would apply.
    let style = BASE64.encode(Digest::of(STYLE).as_bytes());
    let policy = format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'");
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy);
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            meta name="generator" content=(concat!("plugin-verify ", env!("CARGO_PKG_VERSION")));
            title { (verdict) " – " (name.as_str()) " – audit report" }
            style { (PreEscaped(STYLE)) }
        }
    }
}

fn period(found: &VerificationReport) -> Option<String> {
    let (first, last) = (found.good.first_time.as_deref()?, found.good.last_time.as_deref()?);
    Some(format!("{} to {} UTC", moment(first), moment(last)))
}

/// The key figures.
fn glance(found: &VerificationReport, summary: &LogSummary) -> Markup {
    let open = found.totals.open_calls().count() as u64;
    let weakened = summary.weakened.values().map(|weakening| weakening.count).sum();
    let limits = summary.limits.values().map(|reached| reached.count).sum();
    let plain = [
        (found.next - found.first, "record", "records"),
        (summary.launches.total(), "launch", "launches"),
        (summary.calls.begun, "call", "calls"),
    ];
    let alerts = [
        (summary.calls.failed, "failed call", "failed calls"),
        (open, "call without outcome", "calls without outcome"),
        (summary.refusals.total(), "refused or failed start", "refused or failed starts"),
        (weakened, "guarantee weakened", "guarantees weakened"),
        (limits, "limit reached", "limits reached"),
    ];
    let tile = |(number, one, many)| html! { b { (count(number)) } " " (if number == 1 { one } else { many }) };
    html! {
        section aria-labelledby="glance" {
            h2 #glance .unseen { "At a glance" }
            ul .glance {
                @for what in plain { li { (tile(what)) } }
                @for what in alerts { li .none[what.0 == 0] { (tile(what)) } }
            }
        }
    }
}

fn parts(found: &VerificationReport, summary: &LogSummary) -> Markup {
    html! {
        (chart::part(&summary.timeline))
        (tables::refusals(summary))
        (tables::weakened(summary))
        (tables::limits(summary))
        (tables::without_outcome(&found.totals))
        (tables::missing(summary))
        (tables::plugins(summary))
        (tables::launches(summary))
        (tables::methods(summary))
        (tables::applications(summary))
        (tables::writers(summary))
        (tables::kinds(&found.totals))
        (tables::last(summary))
    }
}

fn footer(found: &VerificationReport) -> Markup {
    html! {
        footer {
            p {
                "This page proves nothing; the log does."
                @if found.origin.is_some() {
                    " " code { "plugin-verify audit verify" } " verifies it, and " code { "plugin-verify audit prove" }
                    " proves single records to others. Times are from the writer's clock, in UTC; durations are exact to 3 %."
                }
            }
        }
    }
}
