//! Counts, sizes, durations and times in the notation of the page.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// A count, with narrow spaces between thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push('\u{202f}');
        }
        shown.push(digit);
    }
    shown
}

/// A count with its noun.
pub(super) fn of(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

pub(super) fn size(bytes: u64) -> String {
    in_units(bytes as f64, &[(1024.0, "B"), (1024.0, "KiB"), (1024.0, "MiB"), (1024.0, "GiB"), (f64::MAX, "TiB")])
}

pub(super) fn duration(micros: u64) -> String {
    in_units(micros as f64, &[(1000.0, "µs"), (1000.0, "ms"), (60.0, "s"), (60.0, "min"), (24.0, "h"), (f64::MAX, "d")])
}

/// A number in the largest fitting unit, with three digits. Each unit comes with the factor to the
/// next.
fn in_units(mut number: f64, units: &[(f64, &str)]) -> String {
    let (last, before) = units.split_last().unwrap_or((&(f64::MAX, ""), &[]));
    let mut unit = last.1;
    for (next, name) in before {
        if number < *next {
            unit = name;
            break;
        }
        number /= next;
    }
    let digits = match number {
        whole if whole.fract() == 0.0 || whole >= 100.0 => 0,
        tens if tens >= 10.0 => 1,
        _ => 2,
    };
    format!("{number:.digits$}\u{202f}{unit}")
}

/// `2026-11-25 06:58:00`, from the time of a record.
pub(super) fn moment(time: &str) -> String {
    time.get(..19).unwrap_or(time).replace('T', " ")
}

/// The label of a moment on an axis whose ticks are `step` microseconds apart: only the parts that
/// differ.
pub(super) fn tick(micros: u64, step: u64) -> String {
    const SECOND: u64 = 1_000_000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000);
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = time.to_hms();
    match step {
        step if step >= 28 * 86_400 * SECOND => format!("{:04}-{:02}", time.year(), u8::from(time.month())),
        step if step >= 86_400 * SECOND => format!("{:02}-{:02}", u8::from(time.month()), time.day()),
        step if step >= 60 * SECOND => format!("{hour:02}:{minute:02}"),
        step if step >= SECOND => format!("{hour:02}:{minute:02}:{second:02}"),
        _ => format!("{minute:02}:{second:02}.{:03}", time.millisecond()),
    }
}

/// Microseconds since 1970.
pub(super) fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_units_fit() {
        let plain = |text: String| text.replace('\u{202f}', " ");
        assert_eq!([0, 999, 1000, 1_234_567].map(|number| plain(count(number))), ["0", "999", "1 000", "1 234 567"]);
        assert_eq!(plain(of(1, "call", "calls")), "1 call");
        let sizes = [0, 1023, 1024, 1536, 123_456_789, u64::MAX].map(|bytes| plain(size(bytes)));
        assert_eq!(sizes, ["0 B", "1023 B", "1 KiB", "1.50 KiB", "118 MiB", "16777216 TiB"]);
        let times = [7, 1500, 12_345, 90_000_000, 7_200_000_000, 864_000_000_000].map(|micros| plain(duration(micros)));
        assert_eq!(times, ["7 µs", "1.50 ms", "12.3 ms", "1.50 min", "2 h", "10 d"]);
    }

    #[test]
    fn tick_labels_show_only_differing_parts() {
        assert_eq!(moment("2026-11-25T06:58:00.123456Z"), "2026-11-25 06:58:00");
        let at = 1_795_589_880_123_000;
        let steps = [1000, 1_000_000, 60_000_000, 86_400_000_000, 28 * 86_400_000_000];
        assert_eq!(steps.map(|step| tick(at, step)), ["58:00.123", "06:58:00", "06:58", "11-25", "2026-11"]);
    }
}
