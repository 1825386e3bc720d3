//! A summary of the verified records of a log, gathered in one pass. Memory does not grow with the
//! log. Renders nothing.

use portcullis::audit::Record;
use portcullis::event::{Event, GuaranteeWeakened, LimitReached, LogOpened, PluginVerification, VerificationVerdict};

use super::bounded::{RingLog, TopN};
use super::calls::Calls;
use super::numbers;
use super::processes::Launches;
use super::timeline::Timeline;
use super::untrusted::UntrustedText;
use crate::limits::report::{
    COUNTED_NAMES, KEPT_FAILED_STARTS, KEPT_LOSSES, KEPT_RECORDS, KEPT_WRITERS, LISTED_TORN_TAILS, NAME_CHARACTERS,
    WORD_CHARACTERS,
};

#[derive(Debug, Default)]
pub(super) struct LogSummary {
    pub(super) writers: RingLog<Writer, KEPT_WRITERS>,
    pub(super) missing: RingLog<MissingRecords, KEPT_LOSSES>,
    pub(super) refusals: RingLog<FailedStart, KEPT_FAILED_STARTS>,
    /// By the switch that was used, and its object.
    pub(super) weakened: TopN<(UntrustedText, UntrustedText), Weakening, COUNTED_NAMES>,
    pub(super) limits: TopN<UntrustedText, LimitHits, COUNTED_NAMES>,
    pub(super) launches: Launches,
    pub(super) calls: Calls,
    pub(super) applications: TopN<UntrustedText, u64, COUNTED_NAMES>,
    pub(super) timeline: Timeline,
    pub(super) last: RingLog<RecordRow, KEPT_RECORDS>,
}

/// A process that opened the log.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) time: String,
    pub(super) program: UntrustedText,
    pub(super) pid: u32,
    pub(super) mode: UntrustedText,
    /// The torn tails that were quarantined: bytes and file.
    pub(super) torn: Vec<(u64, UntrustedText)>,
}

/// Records or copies that are missing.
#[derive(Debug)]
pub(super) struct MissingRecords {
    pub(super) index: u64,
    pub(super) time: String,
    pub(super) what: String,
    pub(super) why: UntrustedText,
}

/// A plugin that was refused or failed to start.
#[derive(Debug)]
pub(super) struct FailedStart {
    pub(super) index: u64,
    pub(super) time: String,
    pub(super) what: &'static str,
    pub(super) plugin: Option<UntrustedText>,
    pub(super) reason: UntrustedText,
}

/// How often a guarantee was weakened, and the last plugin for which it was.
#[derive(Debug, Default)]
pub(super) struct Weakening {
    pub(super) count: u64,
    pub(super) plugin: Option<UntrustedText>,
}

/// How often a limit was reached, and the largest value.
#[derive(Debug, Default)]
pub(super) struct LimitHits {
    pub(super) count: u64,
    pub(super) allowed: u64,
    pub(super) found: Option<u64>,
    pub(super) last: String,
}

/// A record as a row of a table.
#[derive(Debug)]
pub(super) struct RecordRow {
    pub(super) index: u64,
    pub(super) time: String,
    pub(super) kind: &'static str,
    pub(super) text: UntrustedText,
    /// Whether a person should look at it.
    pub(super) is_alert: bool,
}

impl LogSummary {
    pub(super) fn take(&mut self, record: &Record) {
        let (event, time) = (record.event(), record.time());
        self.timeline.take(numbers::micros(record.written()), event.as_ref());
        let known = event.as_ref();
        self.last.push(RecordRow {
            index: record.index(),
            time: time.clone(),
            kind: known.map_or("unknown", Event::kind),
            text: known
                .map_or_else(|| UntrustedText::new(record.event_text()), |event| UntrustedText::new(&event.summary())),
            is_alert: known.is_some_and(Event::is_alert),
        });
        if let Some(event) = event {
            self.launches.take(record.index(), &time, &event);
            self.count(record.index(), time, event);
        }
    }

    fn count(&mut self, index: u64, time: String, event: Event) {
        match event {
            Event::Opened(it) => self.opened(time, &it),
            Event::Lost(it) => {
                let what = format!("{} lost", numbers::of(it.records, "record", "records"));
                self.missing(index, time, what, "they could not be written");
            }
            Event::Undelivered(it) => {
                let what = format!("{} undelivered", numbers::of(it.count, "copy", "copies"));
                self.missing(index, time, what, &format!("{}: {}", it.to, it.reason));
            }
            Event::Verification(it) => self.verified(index, time, &it),
            Event::LaunchFailed(it) => {
                let what = if it.refused { "launch refused" } else { "launch failed" };
                let plugin = self.launches.plugin_of(it.launch).cloned();
                self.refusals.push(FailedStart { index, time, what, plugin, reason: UntrustedText::new(&it.reason) });
            }
            Event::Weakened(it) => self.weakened(&it),
            Event::Limit(it) => self.limit(time, &it),
            Event::Call(it) => self.calls.begin(&it),
            Event::Returned(it) => self.calls.end(&it),
            Event::Application(it) => *self.applications.entry(UntrustedText::new(&it.name)) += 1,
            _ => {}
        }
    }

    fn missing(&mut self, index: u64, time: String, what: String, why: &str) {
        self.missing.push(MissingRecords { index, time, what, why: UntrustedText::new(why) });
    }

    fn weakened(&mut self, it: &GuaranteeWeakened) {
        let on = it.on.as_deref().map(UntrustedText::new).unwrap_or_default();
        let weakening = self.weakened.entry((UntrustedText::new(&it.switch), on));
        weakening.count += 1;
        weakening.plugin = self.launches.plugin_of(it.launch).cloned();
    }

    fn limit(&mut self, time: String, it: &LimitReached) {
        let reached = self.limits.entry(UntrustedText::new(&it.limit));
        reached.count += 1;
        reached.allowed = it.allowed;
        reached.found = reached.found.max(it.found);
        reached.last = time;
    }

    fn opened(&mut self, time: String, it: &LogOpened) {
        let torn =
            it.torn.iter().take(LISTED_TORN_TAILS).map(|torn| (torn.bytes, UntrustedText::new(&torn.file))).collect();
        let (program, mode) =
            (UntrustedText::cut(&it.writer, NAME_CHARACTERS), UntrustedText::cut(&it.mode, WORD_CHARACTERS));
        self.writers.push(Writer { time, program, pid: it.pid, mode, torn });
    }

    fn verified(&mut self, index: u64, time: String, it: &PluginVerification) {
        let what = match it.verdict {
            VerificationVerdict::Allowed => return,
            VerificationVerdict::Unchecked => "not checked",
            _ => "refused",
        };
        let plugin = Some(UntrustedText::new(&it.plugin));
        let reason = UntrustedText::new(it.reason.as_deref().unwrap_or("no reason recorded"));
        self.refusals.push(FailedStart { index, time, what, plugin, reason });
    }
}
