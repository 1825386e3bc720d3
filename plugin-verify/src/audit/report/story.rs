//! What the good records of a log say, gathered in one pass and in memory that does not grow with
//! the log. Draws no page.

use portcullis::audit::Record;
use portcullis::event::{Event, Limit, Opened, Verdict, Verification, Weakened};

use super::bounded::{Few, Latest};
use super::calls::Calls;
use super::foreign::Foreign;
use super::launches::Launches;
use super::numbers;
use super::timeline::Timeline;
use crate::audit::text;

#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) writers: Latest<Writer, 50>,
    pub(super) missing: Latest<Missing, 50>,
    pub(super) refusals: Latest<Refused, 100>,
    /// By the method that was used, and what on.
    pub(super) weakened: Few<(Foreign, Foreign), Weakening, 200>,
    pub(super) limits: Few<Foreign, Reached, 200>,
    pub(super) launches: Launches,
    pub(super) calls: Calls,
    pub(super) applications: Few<Foreign, u64, 200>,
    pub(super) timeline: Timeline,
    pub(super) last: Latest<Row, 200>,
}

/// Of what was put aside before one writer, so much is shown.
const TORN: usize = 8;

/// A writer that opened the log.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) time: String,
    pub(super) program: Foreign,
    pub(super) pid: u32,
    pub(super) mode: Foreign,
    /// How many bytes of a record that was never finished were put aside, and where.
    pub(super) torn: Vec<(u64, Foreign)>,
}

/// Something that is not where it should be.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) seq: u64,
    pub(super) time: String,
    pub(super) what: String,
    pub(super) why: Foreign,
}

/// A plugin that did not come to run.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) seq: u64,
    pub(super) time: String,
    pub(super) what: &'static str,
    pub(super) plugin: Option<Foreign>,
    pub(super) reason: Foreign,
}

/// How often a guarantee was given up, and for which plugin the last time.
#[derive(Debug, Default)]
pub(super) struct Weakening {
    pub(super) count: u64,
    pub(super) plugin: Option<Foreign>,
}

/// How often a limit was reached, and by how much.
#[derive(Debug, Default)]
pub(super) struct Reached {
    pub(super) count: u64,
    pub(super) allowed: u64,
    pub(super) found: Option<u64>,
    pub(super) last: String,
}

/// A record as it stands in a table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) seq: u64,
    pub(super) time: String,
    pub(super) kind: &'static str,
    pub(super) text: Foreign,
    /// Whether somebody should look at it.
    pub(super) is_grave: bool,
}

impl Story {
    pub(super) fn take(&mut self, record: &Record) {
        let (event, time) = (record.event(), record.time());
        self.timeline.take(numbers::micros(record.written()), event.as_ref());
        let known = event.as_ref();
        self.last.push(Row {
            seq: record.seq(),
            time: time.clone(),
            kind: known.map_or("unknown", Event::kind),
            text: known.map_or_else(|| Foreign::new(record.event_text()), |event| Foreign::new(&text::told(event))),
            is_grave: known.is_some_and(is_grave),
        });
        if let Some(event) = event {
            self.launches.take(record.seq(), &time, &event);
            self.tell(record.seq(), time, event);
        }
    }

    fn tell(&mut self, seq: u64, time: String, event: Event) {
        match event {
            Event::Opened(it) => self.opened(time, &it),
            Event::Lost(it) => {
                let what = format!("{} lost", numbers::of(it.records, "record", "records"));
                self.missing(seq, time, what, "they could not be written, and nobody waited for them");
            }
            Event::Undelivered(it) => {
                let what = format!("{} undelivered", numbers::of(it.count, "copy", "copies"));
                self.missing(seq, time, what, &format!("{}: {}", it.to, it.reason));
            }
            Event::Verification(it) => self.verified(seq, time, &it),
            Event::LaunchFailed(it) => {
                let what = if it.refused { "launch refused" } else { "launch failed" };
                let plugin = self.launches.plugin_of(it.launch).cloned();
                self.refusals.push(Refused { seq, time, what, plugin, reason: Foreign::new(&it.reason) });
            }
            Event::Weakened(it) => self.weakened(&it),
            Event::Limit(it) => self.limit(time, &it),
            Event::Call(it) => self.calls.begin(&it),
            Event::Returned(it) => self.calls.end(&it),
            Event::Application(it) => *self.applications.entry(Foreign::new(&it.name)) += 1,
            _ => {}
        }
    }

    fn missing(&mut self, seq: u64, time: String, what: String, why: &str) {
        self.missing.push(Missing { seq, time, what, why: Foreign::new(why) });
    }

    fn weakened(&mut self, it: &Weakened) {
        let on = it.on.as_deref().map(Foreign::new).unwrap_or_default();
        let weakening = self.weakened.entry((Foreign::new(&it.switch), on));
        weakening.count += 1;
        weakening.plugin = self.launches.plugin_of(it.launch).cloned();
    }

    fn limit(&mut self, time: String, it: &Limit) {
        let reached = self.limits.entry(Foreign::new(&it.limit));
        reached.count += 1;
        reached.allowed = it.allowed;
        reached.found = reached.found.max(it.found);
        reached.last = time;
    }

    fn opened(&mut self, time: String, it: &Opened) {
        let torn = it.torn.iter().take(TORN).map(|torn| (torn.bytes, Foreign::new(&torn.file))).collect();
        let (program, mode) = (Foreign::cut(&it.writer, 80), Foreign::cut(&it.mode, 40));
        self.writers.push(Writer { time, program, pid: it.pid, mode, torn });
    }

    fn verified(&mut self, seq: u64, time: String, it: &Verification) {
        let what = match it.verdict {
            Verdict::Allowed => return,
            Verdict::Unchecked => "not checked",
            _ => "refused",
        };
        let plugin = Some(Foreign::new(&it.plugin));
        let reason = Foreign::new(it.reason.as_deref().unwrap_or("no reason is recorded"));
        self.refusals.push(Refused { seq, time, what, plugin, reason });
    }
}

fn is_grave(event: &Event) -> bool {
    match event {
        Event::LaunchFailed(_) | Event::Limit(_) | Event::Lost(_) | Event::Undelivered(_) | Event::Weakened(_) => true,
        Event::Verification(it) => it.verdict != Verdict::Allowed,
        Event::Opened(it) => !it.torn.is_empty(),
        _ => false,
    }
}
