//! The lists of the page. Each reports what it leaves out, and is absent when empty.

use maud::{Markup, html};
use portcullis::audit::verifier::LogTotals;

use super::bounded::{Ranking, TopN};
use super::calls::MethodCalls;
use super::numbers::{count, duration, moment, of, size};
use super::processes::{Plugin, PluginKey, ProcessHistory};
use super::summary::{LogSummary, RecordRow};
use super::untrusted::UntrustedText;
use crate::limits::report::{LAUNCH_ROWS, OUTCOME_ROWS, PLUGIN_ROWS, ROWS};

/// The name of a column, and the class of its cells.
type Column = (&'static str, &'static str);

fn part(id: &str, title: &str, said: &str, content: &Markup) -> Markup {
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            @if !said.is_empty() { p .aside { (said) } }
            (content)
        }
    }
}

/// A table whose cells repeat the name of their column, for screens too narrow for columns.
fn table(columns: &[Column], rows: impl IntoIterator<Item = Vec<Markup>>) -> Markup {
    html! {
        table {
            thead { tr { @for (name, class) in columns { th scope="col" class=(class) { (name) } } } }
            tbody {
                @for row in rows {
                    tr { @for ((name, class), cell) in columns.iter().zip(row) { td class=(class) data-label=(name) { (cell) } } }
                }
            }
        }
    }
}

fn more(left_out: u64, is_more: bool, what: &str) -> Markup {
    html! {
        @if is_more {
            p .more { "and more than " (count(left_out)) " more " (what) }
        } @else if left_out > 0 {
            p .more { "and " (count(left_out)) " more " (what) }
        }
    }
}

fn more_of<K, V>(top: &Ranking<'_, K, V>, what: &str) -> Markup {
    more(top.left_out as u64, top.is_more, what)
}

fn plain(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}

fn foreign(text: &UntrustedText) -> Markup {
    html! { (text) }
}

fn code(text: &UntrustedText) -> Markup {
    html! { code { (text) } }
}

fn maybe(text: Option<&UntrustedText>) -> Markup {
    html! { @match text { Some(text) => { (text) } None => { "–" } } }
}

/// The time of a record, with the day in a softer tone.
fn time(time: &str) -> Markup {
    let moment = moment(time);
    html! {
        @match moment.split_once(' ') {
            Some((day, hour)) => { time datetime=(time) { span .day { (day) } " " (hour) } }
            None => { (moment) }
        }
    }
}

pub(super) fn refusals(summary: &LogSummary) -> Markup {
    let refusals = &summary.refusals;
    if refusals.total() == 0 {
        return Markup::default();
    }
    let columns = [("Record", "number"), ("Time", "time"), ("What", "word"), ("Plugin", "name"), ("Reason", "text")];
    let rows = refusals.iter().map(|it| {
        let what = html! { span .tag { (it.what) } };
        vec![plain(count(it.index)), time(&it.time), what, maybe(it.plugin.as_ref()), foreign(&it.reason)]
    });
    let content = html! { (table(&columns, rows)) (more(refusals.left_out(), false, "earlier ones")) };
    part("refusals", "Refusals and failed launches", "", &content)
}

pub(super) fn weakened(summary: &LogSummary) -> Markup {
    if summary.weakened.is_empty() {
        return Markup::default();
    }
    let top = summary.weakened.top(ROWS, |weakening| weakening.count);
    let columns = [("Switch", "code"), ("On", "name"), ("Last plugin", "name"), ("Times", "number")];
    let rows = top.rows.iter().map(|((switch, on), weakening)| {
        let on = Some(on).filter(|on| !on.as_str().is_empty());
        vec![code(switch), maybe(on), maybe(weakening.plugin.as_ref()), plain(count(weakening.count))]
    });
    let content = html! { (table(&columns, rows)) (more_of(&top, "of them")) };
    part("weakened", "Weakened guarantees", "Guarantees that the host was configured to give up.", &content)
}

pub(super) fn limits(summary: &LogSummary) -> Markup {
    if summary.limits.is_empty() {
        return Markup::default();
    }
    let top = summary.limits.top(ROWS, |reached| reached.count);
    let columns =
        [("Limit", "name"), ("Allowed", "number"), ("Largest", "number"), ("Last time", "time"), ("Times", "number")];
    let rows = top.rows.iter().map(|(limit, reached)| {
        let found = reached.found.map_or_else(|| "–".to_owned(), count);
        vec![
            foreign(limit),
            plain(count(reached.allowed)),
            plain(found),
            time(&reached.last),
            plain(count(reached.count)),
        ]
    });
    let content = html! { (table(&columns, rows)) (more_of(&top, "limits")) };
    part("limits", "Limits reached", "", &content)
}

pub(super) fn without_outcome(account: &LogTotals) -> Markup {
    let mut calls: Vec<_> = account.open_calls().collect();
    calls.sort_by_key(|(_, _, open)| open.index);
    if calls.is_empty() {
        return Markup::default();
    }
    let columns = [("Record", "number"), ("Method", "code"), ("Launch", "code"), ("Call", "number")];
    let rows = calls.iter().take(ROWS).map(|(launch, call, open)| {
        let launch = html! { code { (launch.to_string()) } };
        vec![plain(count(open.index)), code(&UntrustedText::new(&open.method)), launch, plain(count(*call))]
    });
    let left_out = calls.len().saturating_sub(ROWS) as u64;
    let content = html! { (table(&columns, rows)) (more(left_out, account.is_cut, "calls")) };
    let said = "They may have reached the plugin; the log does not hold their outcome.";
    part("open", "Calls without outcome", said, &content)
}

pub(super) fn missing(summary: &LogSummary) -> Markup {
    let missing = &summary.missing;
    if missing.total() == 0 {
        return Markup::default();
    }
    let columns = [("Record", "number"), ("Time", "time"), ("What", "word"), ("Why", "text")];
    let rows = missing.iter().map(|it| vec![plain(count(it.index)), time(&it.time), plain(&it.what), foreign(&it.why)]);
    let content = html! { (table(&columns, rows)) (more(missing.left_out(), false, "earlier ones")) };
    part("missing", "Lost and undelivered", "", &content)
}

pub(super) fn plugins(summary: &LogSummary) -> Markup {
    let plugins = summary.launches.plugins();
    if plugins.is_empty() {
        return Markup::default();
    }
    let top = plugins.top(PLUGIN_ROWS, |plugin| plugin.launches);
    let content = html! {
        div .plugins { @for (key, plugin) in &top.rows { (card(key, plugin)) } }
        (more_of(&top, "plugins"))
    };
    part("plugins", "Plugins", "", &content)
}

fn card((name, digest): &PluginKey, plugin: &Plugin) -> Markup {
    html! {
        article {
            h3 { (name) }
            dl .facts {
                dt { "SHA-256" } dd { code { (digest) } }
                @if let Some(manifest) = &plugin.manifest { dt { "Manifest" } dd { code { (manifest) } } }
                dt { "Size" } dd { (size(plugin.size)) ", " (plugin.mode) }
                dt { "Attestations" }
                dd {
                    @if plugin.attestations.is_empty() { "none recorded" }
                    @for (at, attestation) in plugin.attestations.iter().enumerate() { @if at > 0 { "; " } (attestation) }
                }
                dt { "Launches" } dd { (outcomes_of(plugin)) }
            }
        }
    }
}

fn outcomes_of(plugin: &Plugin) -> String {
    if plugin.launches == 0 {
        return "none: it was only verified".into();
    }
    let parts = [(plugin.ended, "ended"), (plugin.failed, "failed"), (plugin.open, "without recorded end")];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    parts.map(|(number, what)| format!("{} {what}", count(number))).collect::<Vec<_>>().join(", ")
}

pub(super) fn launches(summary: &LogSummary) -> Markup {
    let total = summary.launches.total();
    if total == 0 {
        return Markup::default();
    }
    let columns = [("Time", "time"), ("Launch", "code"), ("Plugin", "name"), ("Calls", "number"), ("End", "text")];
    let rows = summary.launches.latest(LAUNCH_ROWS).map(|history| {
        let id = html! { code { (history.id.to_string()) } };
        vec![time(&history.time), id, foreign(&history.plugin.0), plain(count(history.calls)), end(history)]
    });
    let left_out = total.saturating_sub(LAUNCH_ROWS as u64);
    let content = html! { (table(&columns, rows)) (more(left_out, false, "earlier ones")) };
    part("launches", "Launches", "", &content)
}

fn end(history: &ProcessHistory) -> Markup {
    html! {
        @if let Some((refused, reason)) = &history.failure {
            span .tag { @if *refused { "refused" } @else { "failed" } } " " (reason)
            @if let Some(exit) = &history.exit { ", " (exit) }
        } @else if let Some(exit) = &history.exit {
            (exit)
            @if let Some(ending) = &history.ending { span .aside { " · " (ending) } }
        } @else if let Some(ending) = &history.ending {
            (ending)
        } @else if history.is_ready {
            span .aside { "ready, no recorded end" }
        } @else {
            span .aside { "not ready, no recorded end" }
        }
    }
}

pub(super) fn methods(summary: &LogSummary) -> Markup {
    let methods = &summary.calls.methods;
    if methods.is_empty() {
        return Markup::default();
    }
    let top = methods.top(ROWS, |method| method.begun);
    let columns = [
        ("Method", "code"),
        ("Calls", "number"),
        ("Outcomes", "text"),
        ("Median", "number"),
        ("99th percentile", "number"),
        ("Sent", "number"),
        ("Received", "number"),
    ];
    let rows = top.rows.iter().map(|(name, method)| {
        let within = |percent| plain(method.took.percentile(percent).map_or_else(|| "–".into(), duration));
        let (request, response) = (plain(size(method.request)), plain(size(method.response)));
        vec![code(name), plain(count(method.begun)), outcomes(method), within(50), within(99), request, response]
    });
    let content = html! { (table(&columns, rows)) (more_of(&top, "methods")) };
    let said =
        format!("{} of {}.", of(summary.calls.begun, "call", "calls"), of(methods.len() as u64, "method", "methods"));
    part("methods", "Calls", &said, &content)
}

fn outcomes(method: &MethodCalls) -> Markup {
    let top = method.outcomes.top(OUTCOME_ROWS, |count| *count);
    html! {
        ul .outcomes {
            @for (outcome, number) in &top.rows {
                li .ok[outcome.as_str() == "OK"] { (outcome) " " b { (count(**number)) } }
            }
            @if top.left_out > 0 || top.is_more { li { "and others" } }
        }
    }
}

pub(super) fn applications(summary: &LogSummary) -> Markup {
    counted("applications", "Events of the application", "Event", &summary.applications, "events")
}

fn counted<const KEPT: usize>(
    id: &str,
    title: &str,
    name: &'static str,
    counts: &TopN<UntrustedText, u64, KEPT>,
    what: &str,
) -> Markup {
    if counts.is_empty() {
        return Markup::default();
    }
    let top = counts.top(ROWS, |count| *count);
    let rows = top.rows.iter().map(|(name, number)| vec![foreign(name), plain(count(**number))]);
    let content = html! { (table(&[(name, "name"), ("Times", "number")], rows)) (more_of(&top, what)) };
    part(id, title, "", &content)
}

pub(super) fn writers(summary: &LogSummary) -> Markup {
    let writers = &summary.writers;
    if writers.total() == 0 {
        return Markup::default();
    }
    let columns =
        [("Opened", "time"), ("Program", "name"), ("Process", "number"), ("Mode", "word"), ("Torn tail", "text")];
    let rows = writers.iter().map(|it| {
        let torn = html! {
            @if it.torn.is_empty() { "–" }
            @for (bytes, file) in &it.torn {
                p { "the previous writer was killed: " (of(*bytes, "byte", "bytes")) " quarantined in " code { (file) } }
            }
        };
        vec![time(&it.time), foreign(&it.program), plain(it.pid.to_string()), foreign(&it.mode), torn]
    });
    let content = html! { (table(&columns, rows)) (more(writers.left_out(), false, "earlier ones")) };
    part("writers", "Writers", "The processes that wrote this log, in order.", &content)
}

pub(super) fn kinds(account: &LogTotals) -> Markup {
    html! {
        section aria-labelledby="kinds" {
            h2 #kinds { "Records by kind" }
            ul .kinds { @for (kind, number) in &account.kinds { li { (kind) " " b { (count(*number)) } } } }
        }
    }
}

pub(super) fn last(summary: &LogSummary) -> Markup {
    let last = &summary.last;
    let columns = [("Record", "number"), ("Time", "time"), ("Kind", "word"), ("What", "text")];
    let rows = last.iter().map(row);
    let left_out = last.left_out();
    let said = match left_out {
        0 => "All of them.".to_owned(),
        _ => format!(
            "The last {}; {} earlier.",
            count(last.total() - left_out),
            of(left_out, "record is", "records are")
        ),
    };
    part("last", "Records", &said, &table(&columns, rows))
}

fn row(it: &RecordRow) -> Vec<Markup> {
    let kind = html! { @if it.is_alert { span .tag { (it.kind) } } @else { (it.kind) } };
    vec![plain(count(it.index)), time(&it.time), kind, foreign(&it.text)]
}
