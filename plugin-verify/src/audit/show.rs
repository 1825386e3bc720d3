//! `plugin-verify audit show`: the matching records of a log. Warns if the log is not intact, and
//! prints them anyway.

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write as _};
use std::ops::RangeInclusive;

use cli_support::{Exit, OutputFormat, Problem};
use portcullis::audit::Record;
use portcullis::audit::verifier::verify_lines;
use portcullis::event::{Event, LaunchId};
use serde_json::Value;

use super::{LogArguments, text, verify};
use crate::OUTPUT;
use crate::limits::{KEPT_RECORD_BYTES, KEPT_RECORDS};

/// Print the records of a log
///
/// Prints one line for each record: index, time, kind, launch and the main values. If several
/// filters are given, a record must match all of them.
///
/// With --json, the document holds the last 100,000 matching records, or the last 64 MiB of them;
/// --last keeps no more.
///
/// Example: plugin-verify audit show --type call --since 2026-11-25 log
///
/// Exit status: 0 printed, 1 printed but the log is not intact, 2 the log could not be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: LogArguments,

    /// Print only records of this kind, such as `call` or `verification`. May be repeated
    #[arg(long = "type", value_name = "KIND")]
    kinds: Vec<String>,

    /// Print only records of this launch: its ID, or a prefix of it
    #[arg(long, value_name = "ID", value_parser = launch)]
    launch: Option<String>,

    /// Print only calls of methods whose name contains TEXT
    #[arg(long, value_name = "TEXT")]
    method: Option<String>,

    /// Print only returns with this status, such as `OK` or `NOT_FOUND`
    #[arg(long, value_name = "CODE")]
    outcome: Option<String>,

    /// Print only records from this UTC time on, such as 2026-11-25T06:58, or a prefix of a time
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,

    /// Print only records up to the end of this UTC time, or prefix of a time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<String>,

    /// Print only records with this index, or in this range, inclusive
    #[arg(long, value_name = "N..M", value_parser = range)]
    seq: Option<RangeInclusive<u64>>,

    /// Print only the last N matching records
    #[arg(long, value_name = "N")]
    last: Option<usize>,

    #[command(flatten)]
    format: OutputFormat,
}

fn launch(text: &str) -> Result<String, String> {
    let digits = (1..=16).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if digits { Ok(text.to_owned()) } else { Err("expected up to 16 lower-case hexadecimal digits".into()) }
}

/// A time, or a prefix of one. Times in a log have a fixed format, so they are compared as text.
fn time(text: &str) -> Result<String, String> {
    const FORM: &[u8] = b"dddd-dd-ddTdd:dd:dd.ddddddZ";
    let fits = |(byte, form): (u8, &u8)| if *form == b'd' { byte.is_ascii_digit() } else { byte == *form };
    if text.len() >= 4 && text.len() <= FORM.len() && text.bytes().zip(FORM).all(fits) {
        Ok(text.to_owned())
    } else {
        Err("expected a time such as 2026-11-25T06:58:00.123456Z, or a prefix of one".into())
    }
}

fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("not a number: {text:?}"));
    match text.split_once("..") {
        Some((first, last)) => Ok(number(first)?..=number(last)?),
        None => number(text).map(|only| only..=only),
    }
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let Arguments { subject, format, .. } = arguments;
    let trust = match subject.trust() {
        Ok(trust) => trust,
        Err(problem) => return OUTPUT.failed("audit show", *format, &problem),
    };
    let mut shown = Shown::new(format.json, arguments.last);
    let verified = verify_lines(&subject.log, &trust, |_, record| {
        if let Some(record) = record.filter(|record| arguments.wants(record)) {
            shown.take(record);
        }
    });
    let report = match verified {
        Ok(report) => report,
        Err(error) => return OUTPUT.failed("audit show", *format, &Problem::of(&error)),
    };
    let (exit, trouble) = (verify::exit(&report), verify::trouble(&report));
    let (records, is_cut, written) = shown.finish();
    if format.json {
        return OUTPUT.json(
            "audit show",
            exit,
            [("trouble", trouble.into()), ("is_cut", is_cut.into()), ("records", records.into())],
        );
    }
    let exit = OUTPUT.finish(exit, written);
    if is_cut {
        OUTPUT.warn("--last exceeds the records that are kept in memory; the oldest are missing");
    }
    if let Some(trouble) = trouble {
        OUTPUT.warn(format_args!("the log is not intact: {trouble}"));
    }
    exit
}

impl Arguments {
    fn wants(&self, record: &Record) -> bool {
        let time = record.time();
        let in_time = self.since.as_ref().is_none_or(|since| time.as_str() >= since.as_str())
            && self
                .until
                .as_ref()
                .is_none_or(|until| time.get(..until.len()).is_some_and(|start| start <= until.as_str()));
        in_time
            && self.seq.as_ref().is_none_or(|range| range.contains(&record.index()))
            && self.wants_event(record.event().as_ref())
    }

    fn wants_event(&self, event: Option<&Event>) -> bool {
        let (method, outcome) = match event {
            Some(Event::Call(call)) => (Some(&call.method), None),
            Some(Event::Returned(returned)) => (Some(&returned.method), Some(&returned.outcome)),
            _ => (None, None),
        };
        let is_of = |id: LaunchId, wanted: &String| id.to_string().starts_with(wanted.as_str());
        (self.kinds.is_empty() || event.is_some_and(|event| self.kinds.iter().any(|kind| kind == event.kind())))
            && self
                .launch
                .as_ref()
                .is_none_or(|wanted| event.and_then(Event::launch).is_some_and(|id| is_of(id, wanted)))
            && self.method.as_ref().is_none_or(|wanted| method.is_some_and(|method| method.contains(wanted.as_str())))
            && self.outcome.as_ref().is_none_or(|wanted| outcome == Some(wanted))
    }
}

/// The matching records: printed immediately, unless it is not yet known whether they are among the
/// last.
struct Shown {
    json: bool,
    last: Option<usize>,
    kept: VecDeque<Record>,
    /// The bytes of their lines.
    bytes: usize,
    /// Whether fewer records are kept than were requested.
    is_cut: bool,
    out: BufWriter<io::Stdout>,
    written: io::Result<()>,
}

impl Shown {
    fn new(json: bool, last: Option<usize>) -> Self {
        let out = BufWriter::with_capacity(64 * 1024, io::stdout());
        Self { json, last, kept: VecDeque::new(), bytes: 0, is_cut: false, out, written: Ok(()) }
    }

    fn take(&mut self, record: &Record) {
        match (self.last, self.json) {
            (None, false) => self.print(record),
            (last, _) => {
                self.bytes += record.line().len();
                self.kept.push_back(record.clone());
                let asked = last.unwrap_or(usize::MAX);
                while self.kept.len() > asked.min(KEPT_RECORDS) || self.bytes > KEPT_RECORD_BYTES {
                    self.is_cut |= self.kept.len() <= asked;
                    self.bytes -= self.kept.pop_front().map_or(self.bytes, |record| record.line().len());
                }
            }
        }
    }

    fn print(&mut self, record: &Record) {
        if self.written.is_ok() {
            self.written = writeln!(self.out, "{}", text::line(record));
        }
    }

    fn finish(mut self) -> (Vec<Value>, bool, io::Result<()>) {
        let kept = std::mem::take(&mut self.kept);
        if self.json {
            return (kept.iter().map(text::value).collect(), self.is_cut, Ok(()));
        }
        kept.iter().for_each(|record| self.print(record));
        let written = self.written.and_then(|()| self.out.flush());
        (Vec::new(), self.is_cut, written)
    }
}

#[cfg(test)]
mod tests {
    use portcullis::Digest;

    use super::*;

    fn record(event: &str) -> Record {
        let prev = "0".repeat(64);
        let time = "2026-11-25T06:58:00.123456Z";
        let body = format!(r#"{{"v":1,"seq":0,"time":"{time}","prev":"{prev}","event":{{"type":"{event}"}}"#);
        Record::parse(format!(r#"{body},"hash":"{}"}}"#, Digest::of(&body)).as_bytes()).unwrap()
    }

    /// How many of so many records are kept, and whether that is said to be too few.
    fn kept(last: Option<usize>, count: usize, record: &Record) -> (usize, bool) {
        let mut shown = Shown::new(true, last);
        (0..count).for_each(|_| shown.take(record));
        (shown.kept.len(), shown.is_cut)
    }

    #[test]
    fn kept_output_is_bounded_and_marked() {
        let small = record("x");
        assert_eq!(kept(Some(3), 5, &small), (3, false));
        assert_eq!(kept(Some(7), 5, &small), (5, false));
        assert_eq!(kept(None, KEPT_RECORDS + 1, &small), (KEPT_RECORDS, true));
        assert_eq!(kept(Some(KEPT_RECORDS + 9), KEPT_RECORDS + 1, &small), (KEPT_RECORDS, true));
        assert_eq!(kept(Some(KEPT_RECORDS), KEPT_RECORDS + 1, &small), (KEPT_RECORDS, false));
        let large = record(&"x".repeat(60_000));
        let most = KEPT_RECORD_BYTES / large.line().len();
        assert_eq!(kept(None, most, &large), (most, false));
        assert_eq!(kept(None, most + 5, &large), (most, true));
        assert_eq!(kept(Some(most + 1), most + 5, &large), (most, true));
    }

    #[test]
    fn record_with_unreadable_number_is_displayed_as_text() {
        let body = record("x").line().replacen(r#""x""#, r#""x","n":1e999999"#, 1);
        let body = body.rsplit_once(r#","hash""#).unwrap().0;
        let line = format!(r#"{body},"hash":"{}"}}"#, Digest::of(body));
        let value = text::value(&Record::parse(line.as_bytes()).unwrap());
        assert_eq!(value, Value::from(line));
        assert!(text::value(&record("x")).is_object());
    }
}
