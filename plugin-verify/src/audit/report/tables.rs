//! The parts of the page that are lists: each says what it leaves out, and is not there if there is
//! nothing to say.

use maud::{Markup, html};
use portcullis::audit::verifier::Account;

use super::bounded::{Few, Top};
use super::calls::Method;
use super::foreign::Foreign;
use super::launches::{Life, Plugin, PluginKey};
use super::numbers::{count, duration, moment, of, size};
use super::story::{Row, Story};

/// As many rows a list has.
const ROWS: usize = 50;
const PLUGINS: usize = 30;
const LIVES: usize = 100;

/// The name of a column, and what its cells look like.
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

/// A table, whose cells repeat their column's name for screens on which there is no room for
/// columns.
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

fn more_of<K, V>(top: &Top<'_, K, V>, what: &str) -> Markup {
    more(top.left_out as u64, top.is_more, what)
}

fn plain(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}

fn foreign(text: &Foreign) -> Markup {
    html! { (text) }
}

fn code(text: &Foreign) -> Markup {
    html! { code { (text) } }
}

fn maybe(text: Option<&Foreign>) -> Markup {
    html! { @match text { Some(text) => { (text) } None => { "–" } } }
}

/// The time of a record: the day in a softer tone.
fn time(time: &str) -> Markup {
    let moment = moment(time);
    html! {
        @match moment.split_once(' ') {
            Some((day, hour)) => { time datetime=(time) { span .day { (day) } " " (hour) } }
            None => { (moment) }
        }
    }
}

pub(super) fn refusals(story: &Story) -> Markup {
    let refusals = &story.refusals;
    if refusals.total() == 0 {
        return Markup::default();
    }
    let columns = [("Record", "number"), ("Time", "time"), ("What", "word"), ("Plugin", "name"), ("Reason", "text")];
    let rows = refusals.iter().map(|it| {
        let what = html! { span .tag { (it.what) } };
        vec![plain(count(it.seq)), time(&it.time), what, maybe(it.plugin.as_ref()), foreign(&it.reason)]
    });
    let content = html! { (table(&columns, rows)) (more(refusals.left_out(), false, "before them")) };
    part("refusals", "Refusals and failed launches", "", &content)
}

pub(super) fn weakened(story: &Story) -> Markup {
    if story.weakened.is_empty() {
        return Markup::default();
    }
    let top = story.weakened.top(ROWS, |weakening| weakening.count);
    let columns = [("Asked for with", "code"), ("On", "name"), ("Last plugin", "name"), ("Times", "number")];
    let rows = top.rows.iter().map(|((switch, on), weakening)| {
        let on = Some(on).filter(|on| !on.as_str().is_empty());
        vec![code(switch), maybe(on), maybe(weakening.plugin.as_ref()), plain(count(weakening.count))]
    });
    let content = html! { (table(&columns, rows)) (more_of(&top, "of them")) };
    part("weakened", "Weakened guarantees", "What the host gave up, because it was asked to.", &content)
}

pub(super) fn limits(story: &Story) -> Markup {
    if story.limits.is_empty() {
        return Markup::default();
    }
    let top = story.limits.top(ROWS, |reached| reached.count);
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

pub(super) fn without_outcome(account: &Account) -> Markup {
    let mut calls: Vec<_> = account.open_calls().collect();
    calls.sort_by_key(|(_, _, open)| open.seq);
    if calls.is_empty() {
        return Markup::default();
    }
    let columns = [("Record", "number"), ("Method", "code"), ("Launch", "code"), ("Call", "number")];
    let rows = calls.iter().take(ROWS).map(|(launch, call, open)| {
        let launch = html! { code { (launch.to_string()) } };
        vec![plain(count(open.seq)), code(&Foreign::new(&open.method)), launch, plain(count(*call))]
    });
    let left_out = calls.len().saturating_sub(ROWS) as u64;
    let content = html! { (table(&columns, rows)) (more(left_out, account.is_cut, "calls")) };
    let said = "They may have reached the plugin, and what came of them is not in the log.";
    part("open", "Calls without outcome", said, &content)
}

pub(super) fn missing(story: &Story) -> Markup {
    let missing = &story.missing;
    if missing.total() == 0 {
        return Markup::default();
    }
    let columns = [("Record", "number"), ("Time", "time"), ("What", "word"), ("Why", "text")];
    let rows = missing.iter().map(|it| vec![plain(count(it.seq)), time(&it.time), plain(&it.what), foreign(&it.why)]);
    let content = html! { (table(&columns, rows)) (more(missing.left_out(), false, "before them")) };
    part("missing", "Lost and undelivered", "", &content)
}

pub(super) fn plugins(story: &Story) -> Markup {
    let plugins = story.launches.plugins();
    if plugins.is_empty() {
        return Markup::default();
    }
    let top = plugins.top(PLUGINS, |plugin| plugin.launches);
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
                dt { "Vouchers" }
                dd {
                    @if plugin.vouchers.is_empty() { "none is recorded" }
                    @for (at, voucher) in plugin.vouchers.iter().enumerate() { @if at > 0 { "; " } (voucher) }
                }
                dt { "Launches" } dd { (became(plugin)) }
            }
        }
    }
}

fn became(plugin: &Plugin) -> String {
    if plugin.launches == 0 {
        return "none: it was verified only".into();
    }
    let parts =
        [(plugin.ended, "ended"), (plugin.failed, "came to nothing"), (plugin.open, "without an end in the log")];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    parts.map(|(number, what)| format!("{} {what}", count(number))).collect::<Vec<_>>().join(", ")
}

pub(super) fn launches(story: &Story) -> Markup {
    let total = story.launches.total();
    if total == 0 {
        return Markup::default();
    }
    let columns = [("Time", "time"), ("Launch", "code"), ("Plugin", "name"), ("Calls", "number"), ("End", "text")];
    let rows = story.launches.latest(LIVES).map(|life| {
        let id = html! { code { (life.id.to_string()) } };
        vec![time(&life.time), id, foreign(&life.plugin.0), plain(count(life.calls)), end(life)]
    });
    let left_out = total.saturating_sub(LIVES as u64);
    let content = html! { (table(&columns, rows)) (more(left_out, false, "before them")) };
    part("launches", "Launches", "", &content)
}

fn end(life: &Life) -> Markup {
    html! {
        @if let Some((refused, reason)) = &life.failure {
            span .tag { @if *refused { "refused" } @else { "failed" } } " " (reason)
            @if let Some(exit) = &life.exit { ", " (exit) }
        } @else if let Some(exit) = &life.exit {
            (exit)
            @if let Some(ending) = &life.ending { span .aside { " · " (ending) } }
        } @else if let Some(ending) = &life.ending {
            (ending)
        } @else if life.is_ready {
            span .aside { "ready, and no end in the log" }
        } @else {
            span .aside { "neither ready nor ended in the log" }
        }
    }
}

pub(super) fn methods(story: &Story) -> Markup {
    let methods = &story.calls.methods;
    if methods.is_empty() {
        return Markup::default();
    }
    let top = methods.top(ROWS, |method| method.begun);
    let columns = [
        ("Method", "code"),
        ("Calls", "number"),
        ("Outcomes", "text"),
        ("Half within", "number"),
        ("99 % within", "number"),
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
        format!("{} of {}.", of(story.calls.begun, "call", "calls"), of(methods.len() as u64, "method", "methods"));
    part("methods", "Calls", &said, &content)
}

fn outcomes(method: &Method) -> Markup {
    let top = method.outcomes.top(6, |count| *count);
    html! {
        ul .outcomes {
            @for (outcome, number) in &top.rows {
                li .ok[outcome.as_str() == "OK"] { (outcome) " " b { (count(**number)) } }
            }
            @if top.left_out > 0 || top.is_more { li { "and others" } }
        }
    }
}

pub(super) fn applications(story: &Story) -> Markup {
    counted("applications", "Events of the application", "Event", &story.applications, "events")
}

fn counted<const KEPT: usize>(
    id: &str,
    title: &str,
    name: &'static str,
    few: &Few<Foreign, u64, KEPT>,
    what: &str,
) -> Markup {
    if few.is_empty() {
        return Markup::default();
    }
    let top = few.top(ROWS, |count| *count);
    let rows = top.rows.iter().map(|(name, number)| vec![foreign(name), plain(count(**number))]);
    let content = html! { (table(&[(name, "name"), ("Times", "number")], rows)) (more_of(&top, what)) };
    part(id, title, "", &content)
}

pub(super) fn writers(story: &Story) -> Markup {
    let writers = &story.writers;
    if writers.total() == 0 {
        return Markup::default();
    }
    let columns =
        [("Opened", "time"), ("Program", "name"), ("Process", "number"), ("Mode", "word"), ("Left behind", "text")];
    let rows = writers.iter().map(|it| {
        let torn = html! {
            @if it.torn.is_empty() { "–" }
            @for (bytes, file) in &it.torn {
                p { "the writer before was cut off: " (of(*bytes, "byte", "bytes")) " put aside in " code { (file) } }
            }
        };
        vec![time(&it.time), foreign(&it.program), plain(it.pid.to_string()), foreign(&it.mode), torn]
    });
    let content = html! { (table(&columns, rows)) (more(writers.left_out(), false, "before them")) };
    part("writers", "Writers", "Processes that wrote this log, one after the other.", &content)
}

pub(super) fn kinds(account: &Account) -> Markup {
    html! {
        section aria-labelledby="kinds" {
            h2 #kinds { "Records by kind" }
            ul .kinds { @for (kind, number) in &account.kinds { li { (kind) " " b { (count(*number)) } } } }
        }
    }
}

pub(super) fn last(story: &Story) -> Markup {
    let last = &story.last;
    let columns = [("Record", "number"), ("Time", "time"), ("Kind", "word"), ("What", "text")];
    let rows = last.iter().map(row);
    let left_out = last.left_out();
    let said = match left_out {
        0 => "All of them.".to_owned(),
        _ => format!("The last {}; {} before them.", count(last.total() - left_out), of(left_out, "is", "are")),
    };
    part("last", "Records", &said, &table(&columns, rows))
}

fn row(it: &Row) -> Vec<Markup> {
    let kind = html! { @if it.is_grave { span .tag { (it.kind) } } @else { (it.kind) } };
    vec![plain(count(it.seq)), time(&it.time), kind, foreign(&it.text)]
}
