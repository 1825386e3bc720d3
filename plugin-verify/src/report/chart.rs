//! The timeline as inline SVG: bars of calls, and a lane of marks for each other kind of event.
//! Styled by the page.

use maud::{Markup, html};

use super::numbers::{count, duration, of, tick};
use super::timeline::{Lane, Slot, Timeline};

/// Dimensions in SVG units.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 22.0;
const BARS: f64 = 132.0;
const LANE: f64 = 24.0;
const AXIS: f64 = 26.0;
const WIDEST: f64 = 28.0;

impl Lane {
    fn name(self) -> &'static str {
        match self {
            Self::Launches => "launches",
            Self::Exits => "exits",
            Self::Refusals => "not started",
            Self::FailedCalls => "failed calls",
            Self::Limits => "limits",
        }
    }

    fn one(self) -> &'static str {
        match self {
            Self::Launches => "launch",
            Self::Exits => "exit",
            Self::Refusals => "not started",
            Self::FailedCalls => "failed call",
            Self::Limits => "limit",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Launches => "mark launch",
            Self::Exits => "mark exit",
            Self::Refusals => "mark refusal",
            Self::FailedCalls => "mark failed",
            Self::Limits => "mark limit",
        }
    }

    /// A distinct shape of size one around the origin, so that color is not the only difference.
    fn shape(self) -> &'static str {
        match self {
            Self::Launches => "M-.9 1 1.1 0-.9-1z",
            Self::Exits => "M-.8-.8H.8V.8H-.8z",
            Self::Refusals => "M0-1.2 1.2 0 0 1.2-1.2 0z",
            Self::FailedCalls => "M-1 .9 0-.9 1 .9z",
            Self::Limits => "M-1.1-.5H1.1V.5H-1.1z",
        }
    }
}

/// The chart under its title, unless it is empty.
pub(super) fn part(timeline: &Timeline) -> Markup {
    let totals = totals(timeline);
    if totals == Slot::default() {
        return Markup::default();
    }
    html! {
        section aria-labelledby="time" {
            h2 #time { "Timeline" }
            (chart(timeline, &totals))
        }
    }
}

fn chart(timeline: &Timeline, totals: &Slot) -> Markup {
    let lanes: Vec<Lane> = Lane::ALL.into_iter().filter(|lane| totals.marks[*lane as usize] > 0).collect();
    let highest = timeline.slots().map(|(_, slot)| slot.calls).max().unwrap_or(0);
    let bars = if highest > 0 { BARS } else { 0.0 };
    let base = TOP + bars;
    let bottom = base + LANE * lanes.len() as f64;
    let scale = Scale::of(timeline);
    html! {
        figure .chart {
            div .across tabindex="0" role="region" aria-label="Timeline" {
                svg viewBox=(format!("0 0 {WIDTH} {}", bottom + AXIS)) role="img" aria-labelledby="chart-title" {
                    title #chart-title { (described(totals, &lanes)) }
                    (ticks(&scale, timeline, bottom))
                    @if highest > 0 { (heights(highest, base)) (calls(&scale, timeline, highest, base)) }
                    @for (row, lane) in lanes.iter().enumerate() {
                        (marks(&scale, timeline, *lane, base + LANE * (row as f64 + 0.5)))
                    }
                }
            }
            figcaption { "Each bar is " (duration(timeline.length())) ". Times are UTC." }
        }
    }
}

fn totals(timeline: &Timeline) -> Slot {
    timeline.slots().fold(Slot::default(), |mut sum, (_, slot)| {
        sum.calls += slot.calls;
        sum.marks.iter_mut().zip(slot.marks).for_each(|(sum, marks)| *sum += marks);
        sum
    })
}

/// The text alternative of the chart.
fn described(totals: &Slot, lanes: &[Lane]) -> String {
    let marks = lanes.iter().map(|lane| of(totals.marks[*lane as usize], lane.one(), lane.name()));
    let all: Vec<_> = [of(totals.calls, "call", "calls")].into_iter().chain(marks).collect();
    format!("Over time: {}", all.join(", "))
}

/// The horizontal positions of slots.
struct Scale {
    first: u64,
    length: u64,
    width: f64,
}

impl Scale {
    fn of(timeline: &Timeline) -> Self {
        let width = (WIDTH - LEFT - RIGHT) / timeline.span().max(1) as f64;
        Self { first: timeline.first(), length: timeline.length(), width }
    }

    /// The middle of a slot.
    fn middle(&self, slot: u64) -> f64 {
        LEFT + ((slot - self.first) as f64 + 0.5) * self.width
    }

    fn label(&self, slot: u64) -> String {
        tick(slot * self.length, self.length.min(60_000_000))
    }
}

fn ticks(scale: &Scale, timeline: &Timeline, bottom: f64) -> Markup {
    let step = timeline.step(8);
    let (start, end) = (scale.first * scale.length, (scale.first + timeline.span()) * scale.length);
    let times = (start.div_ceil(step)..).map(|number| number * step).take_while(|time| *time < end).take(16);
    html! {
        @for time in times {
            @let x = LEFT + (time - start) as f64 / scale.length as f64 * scale.width;
            line .grid x1=(one(x)) x2=(one(x)) y1=(one(TOP)) y2=(one(bottom + 4.0)) {}
            text .tick x=(one(x)) y=(one(bottom + 18.0)) text-anchor="middle" { (tick(time, step)) }
        }
        line .axis x1=(one(LEFT)) x2=(one(WIDTH - RIGHT)) y1=(one(bottom)) y2=(one(bottom)) {}
    }
}

fn heights(highest: u64, base: f64) -> Markup {
    html! {
        text .lane x=(one(LEFT - 12.0)) y=(one(base - BARS / 2.0 + 4.0)) text-anchor="end" { "calls" }
        text .tick x=(one(LEFT - 12.0)) y=(one(base - BARS + 4.0)) text-anchor="end" { (count(highest)) }
        line .grid x1=(one(LEFT)) x2=(one(WIDTH - RIGHT)) y1=(one(base - BARS)) y2=(one(base - BARS)) {}
        line .axis x1=(one(LEFT)) x2=(one(WIDTH - RIGHT)) y1=(one(base)) y2=(one(base)) {}
    }
}

fn calls(scale: &Scale, timeline: &Timeline, highest: u64, base: f64) -> Markup {
    let width = (scale.width * 0.8).clamp(1.0, WIDEST);
    html! {
        @for (number, slot) in timeline.slots().filter(|(_, slot)| slot.calls > 0) {
            // A slot with calls is always visible.
            @let height = (slot.calls as f64 / highest as f64 * BARS).max(1.5);
            rect .bar x=(one(scale.middle(number) - width / 2.0)) y=(one(base - height)) width=(one(width)) height=(one(height)) {
                title { (scale.label(number)) ": " (of(slot.calls, "call", "calls")) }
            }
        }
    }
}

fn marks(scale: &Scale, timeline: &Timeline, lane: Lane, y: f64) -> Markup {
    let slots =
        timeline.slots().map(|(number, slot)| (number, slot.marks[lane as usize])).filter(|(_, marks)| *marks > 0);
    html! {
        text .lane x=(one(LEFT - 12.0)) y=(one(y + 4.0)) text-anchor="end" { (lane.name()) }
        line .rail x1=(one(LEFT)) x2=(one(WIDTH - RIGHT)) y1=(one(y)) y2=(one(y)) {}
        @for (number, marks) in slots {
            @let size = 4.0 + (marks as f64).log2().min(3.0);
            path class=(lane.class()) d=(lane.shape()) transform=(format!("translate({:.1} {y:.1}) scale({size:.1})", scale.middle(number))) {
                title { (scale.label(number)) ": " (of(marks, lane.one(), lane.name())) }
            }
        }
    }
}

fn one(number: f64) -> String {
    format!("{number:.1}")
}
