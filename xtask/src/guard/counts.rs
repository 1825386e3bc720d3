//! Instructions by work, as text under version control, and how two such lists differ.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result};

const HEADER: &str =
    "# Instructions of the host's side of its main works, under callgrind: cargo bench-guard [--accept]\n";
const COMPILER: &str = "compiler: ";

/// What was counted, and the compiler that made the code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) compiler: String,
    works: BTreeMap<String, u64>,
}

impl Counts {
    pub(super) fn new(compiler: String) -> Self {
        Self { compiler, works: BTreeMap::new() }
    }

    /// Adds a count, and keeps the smallest of each work.
    pub(super) fn add(&mut self, work: String, instructions: u64) {
        let known = self.works.entry(work).or_insert(instructions);
        *known = instructions.min(*known);
    }

    /// Compares each work that is in either list.
    pub(super) fn compared_with(&self, known: &Self, tolerance: f64) -> BTreeMap<String, Verdict> {
        let names = self.works.keys().chain(known.works.keys());
        let verdict = |work: &String| {
            let (known, now) = (known.works.get(work).copied(), self.works.get(work).copied());
            (work.clone(), Verdict { known, now, tolerance })
        };
        names.map(verdict).collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}{COMPILER}{}", self.compiler)?;
        self.works.iter().try_for_each(|(work, instructions)| writeln!(f, "{work} {instructions}"))
    }
}

impl FromStr for Counts {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#'));
        let compiler =
            lines.next().and_then(|line| line.strip_prefix(COMPILER)).context("no line names the compiler")?;
        let work = |line: &str| {
            let (work, instructions) = line.split_once(' ').with_context(|| format!("not a count: {line}"))?;
            Ok((work.to_string(), instructions.parse()?))
        };
        Ok(Self { compiler: compiler.to_string(), works: lines.map(work).collect::<Result<_>>()? })
    }
}

/// The known and the new count of one work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    known: Option<u64>,
    now: Option<u64>,
    tolerance: f64,
}

impl Verdict {
    /// In percent.
    fn change(self) -> Option<f64> {
        let (known, now) = (self.known? as f64, self.now? as f64);
        Some((now / known - 1.0) * 100.0)
    }

    /// Whether the count is too large, or in one of the lists only: a work that is no longer
    /// counted is not guarded.
    pub(super) fn is_failure(self) -> bool {
        self.change().is_none_or(|change| change > self.tolerance)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: Option<u64>| count.map_or_else(|| "-".into(), |count| count.to_string());
        write!(f, "{:>14} {:>14}", count(self.known), count(self.now))?;
        let Some(change) = self.change() else { return f.write_str("    in one of the lists only: FAILED") };
        write!(f, " {change:>+8.2}%")?;
        if self.is_failure() {
            f.write_str("  TOO MANY")
        } else if change < -self.tolerance {
            f.write_str("  better: accept it")
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(works: &[(&str, u64)]) -> Counts {
        let mut counts = Counts::new("rustc 1".into());
        works.iter().for_each(|(work, instructions)| counts.add((*work).into(), *instructions));
        counts
    }

    #[test]
    fn smallest_count_is_kept_and_round_trips() {
        let counts = counts(&[("launch", 12), ("launch", 10), ("launch", 11), ("call", 3)]);
        assert_eq!(counts, self::counts(&[("launch", 10), ("call", 3)]));
        assert_eq!(counts.to_string().parse::<Counts>().unwrap(), counts);
    }

    #[test]
    fn only_higher_counts_fail() {
        let known = counts(&[("dearer", 1000), ("a little", 1000), ("cheaper", 1000)]);
        let now = counts(&[("dearer", 1041), ("a little", 1039), ("cheaper", 100)]);
        let verdicts = now.compared_with(&known, 4.0);
        let failed: Vec<_> =
            verdicts.iter().filter(|(_, verdict)| verdict.is_failure()).map(|(work, _)| work).collect();
        assert_eq!(failed, ["dearer"]);
    }

    #[test]
    fn work_in_only_one_list_fails() {
        let (one, other) = (counts(&[("launch", 1), ("call", 1)]), counts(&[("call", 1)]));
        for verdicts in [one.compared_with(&other, 4.0), other.compared_with(&one, 4.0)] {
            assert!(verdicts["launch"].is_failure() && !verdicts["call"].is_failure());
        }
    }

    #[test]
    fn damaged_list_is_an_error() {
        for text in ["", "launch 5\n", "compiler: rustc 1\nlaunch\n", "compiler: rustc 1\nlaunch many\n"] {
            assert!(text.parse::<Counts>().is_err(), "{text:?}");
        }
    }
}
