//! The bytes and seconds that documents promise are those of the code. A quantity is followed by a
//! comment that names its constant, as in `64 KiB<!-- limits::handshake::HANDSHAKE_LINE_BYTES -->`,
//! or says why it has none: `<!-- format -->` (fixed by a format), `<!-- measured -->`.

use std::collections::BTreeMap;

use super::tree::{prose, read, tracked};

/// The documents in which every quantity of bytes or seconds is marked.
const DOCUMENTS: [&str; 3] = ["README.md", "SECURITY.md", "docs/audit-log.md"];

/// The crates whose constants documents quote, by the name that marks begin with.
const CRATES: [(&str, &str); 4] = [
    ("", "src"),
    ("kv::", "examples/kv/src"),
    ("plugin_verify::", "plugin-verify/src"),
    ("certs_tooling::", "certs-tooling/src"),
];

/// Units of bytes and of time, each in bytes or nanoseconds.
const UNITS: [(&str, u128); 20] = [
    ("byte", 1),
    ("bytes", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("milliseconds", 1_000_000),
    ("s", 1_000_000_000),
    ("second", 1_000_000_000),
    ("seconds", 1_000_000_000),
    ("minute", 60_000_000_000),
    ("minutes", 60_000_000_000),
    ("hour", 3_600_000_000_000),
    ("hours", 3_600_000_000_000),
    ("day", 86_400_000_000_000),
    ("days", 86_400_000_000_000),
];

#[test]
fn documents_quote_the_constants() {
    let constants = Constants::read();
    let mut wrong = Vec::new();
    for path in tracked(&["*.md"]) {
        for (number, line) in prose(&read(&path)) {
            let quotes = quotes(line).into_iter().filter_map(|quote| constants.contradicts(&quote));
            wrong.extend(quotes.map(|fault| format!("{path}:{number}: {fault}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn quantities_name_their_constants() {
    let mut bare = Vec::new();
    for path in DOCUMENTS {
        for (number, line) in prose(&read(path)) {
            let quotes = quotes(line).into_iter().filter(|quote| quote.mark.is_none() && quote.unit().is_some());
            bare.extend(quotes.map(|quote| format!("{path}:{number}: {} {}", quote.number, quote.word)));
        }
    }
    assert!(bare.is_empty(), "quantities without a mark (see tests/tidy/numbers.rs):\n{}", bare.join("\n"));
}

/// A number in a document, the word after it, and the mark after that.
#[derive(Debug, PartialEq)]
struct Quote<'a> {
    number: u128,
    word: &'a str,
    mark: Option<&'a str>,
}

impl Quote<'_> {
    fn unit(&self) -> Option<u128> {
        UNITS.iter().find(|(name, _)| *name == self.word).map(|(_, size)| *size)
    }
}

fn quotes(line: &str) -> Vec<Quote<'_>> {
    let mut quotes = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let before = rest[..start].chars().next_back();
        let number = &rest[start..];
        let end = number.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(number.len());
        // A comma after the number ends a clause.
        let end = number[..end].trim_end_matches(',').len();
        let (number, after) = number.split_at(end);
        rest = after;
        // A digit inside a word, a version or a fraction starts no quantity.
        if before.is_some_and(|c| c.is_alphanumeric() || ".-_/:".contains(c)) || after.starts_with(['.', ':', '/']) {
            continue;
        }
        let after = after.strip_prefix([' ', '\u{a0}']).unwrap_or(after);
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (word, after) = after.split_at(end);
        rest = after;
        let mark = after.strip_prefix("<!-- ").and_then(|mark| mark.split_once(" -->")).map(|(mark, _)| mark);
        let Ok(number) = number.replace(',', "").parse() else { continue };
        quotes.push(Quote { number, word, mark });
    }
    quotes
}

/// The constants of `limits.rs` and `timing.rs`, in bytes, pieces or nanoseconds.
struct Constants(BTreeMap<String, u128>);

impl Constants {
    fn read() -> Self {
        let mut constants = Self(BTreeMap::new());
        for (krate, directory) in CRATES {
            for file in ["limits", "timing"] {
                let path = format!("{directory}/{file}.rs");
                if super::root().join(&path).exists() {
                    constants.add(&format!("{krate}{file}"), &read(&path));
                }
            }
        }
        constants
    }

    fn add(&mut self, file: &str, text: &str) {
        let mut room = String::new();
        let mut declaration = String::new();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            if let Some((_, name)) = line.split_once("mod ").filter(|(_, rest)| rest.contains('{')) {
                room = format!("::{}", name.split(' ').next().unwrap());
            } else if line == "}" {
                room.clear();
            } else if line.contains("const ") || !declaration.is_empty() {
                declaration.push_str(line);
            }
            if let Some((_, constant)) = declaration.strip_suffix(';').and_then(|line| line.split_once("const ")) {
                let (name, value) = constant.split_once('=').unwrap();
                let place = format!("{file}{room}");
                let name = format!("{place}::{}", name.split(':').next().unwrap().trim());
                if let Some(value) = self.evaluate(&place, value) {
                    self.0.insert(name, value);
                }
                declaration.clear();
            }
        }
    }

    /// The value of a simple expression: sums, products, shifts, durations, and earlier constants.
    fn evaluate(&self, place: &str, expression: &str) -> Option<u128> {
        let expression = expression.trim();
        let pieces = |operator| top_level(expression, operator);
        if let [first, rest @ ..] = &pieces(" + ")[..]
            && !rest.is_empty()
        {
            let sum = rest
                .iter()
                .try_fold(self.evaluate(place, first)?, |sum, piece| Some(sum + self.evaluate(place, piece)?));
            return sum;
        }
        if let [first, second] = &pieces(" - ")[..] {
            return self.evaluate(place, first)?.checked_sub(self.evaluate(place, second)?);
        }
        if let [first, second] = &pieces(" << ")[..] {
            return Some(self.evaluate(place, first)? << self.evaluate(place, second)?);
        }
        if let [first, rest @ ..] = &pieces(" * ")[..]
            && !rest.is_empty()
        {
            let start = self.evaluate(place, first)?;
            return rest.iter().try_fold(start, |product, piece| Some(product * self.evaluate(place, piece)?));
        }
        for (maker, nanoseconds) in [
            ("Duration::from_secs(", 1_000_000_000),
            ("Duration::from_millis(", 1_000_000),
            ("Duration::from_micros(", 1_000),
            ("Duration::from_nanos(", 1),
            ("(", 1),
        ] {
            let inner = expression.strip_prefix(maker).and_then(|inner| inner.strip_suffix(')'));
            if let Some(inner) = inner {
                return Some(self.evaluate(place, inner)? * nanoseconds);
            }
        }
        let digits = expression.replace('_', "");
        let digits = digits.trim_end_matches("usize").trim_end_matches("u64").trim_end_matches("u32");
        digits.parse().ok().or_else(|| self.named(place, expression))
    }

    /// A constant of the same room, of the top of its file, or of a room that the name gives.
    fn named(&self, place: &str, name: &str) -> Option<u128> {
        let (file, _) = place.split_once("limits").or_else(|| place.split_once("timing")).unwrap_or((place, ""));
        let file = format!("{file}{}", if place.contains("limits") { "limits" } else { "timing" });
        let name = name.trim_start_matches("super::");
        [place, &file].into_iter().find_map(|place| self.0.get(&format!("{place}::{name}")).copied())
    }

    fn contradicts(&self, quote: &Quote<'_>) -> Option<String> {
        let mark = quote.mark.filter(|mark| mark.contains("::"))?;
        let Some(value) = self.0.get(mark) else { return Some(format!("there is no constant {mark}")) };
        let quoted = quote.number * quote.unit().unwrap_or(1);
        (quoted != *value).then(|| format!("{} {} is not {mark}, which is {value}", quote.number, quote.word))
    }
}

/// Splits an expression at an operator outside parentheses.
fn top_level<'a>(expression: &'a str, operator: &str) -> Vec<&'a str> {
    let (mut depth, mut start, mut pieces) = (0, 0, Vec::new());
    for (index, character) in expression.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && expression[index..].starts_with(operator) => {
                pieces.push(&expression[start..index]);
                start = index + operator.len();
            }
            _ => {}
        }
    }
    pieces.push(&expression[start..]);
    pieces
}

#[test]
fn constants_are_read_with_their_rooms() {
    let mut constants = Constants(BTreeMap::new());
    constants.add(
        "limits",
        "/// `handshake`\npub(crate) mod handshake {\n    pub(crate) const LINE_BYTES: usize = 64 * 1024;\n    \
         pub(crate) const FRAME: u32 = 4 * 16 * 1024 - 9;\n    const BOTH: usize = LINE_BYTES + (1 << 10);\n}\n",
    );
    constants.add(
        "timing",
        "pub(crate) mod host {\n    pub(crate) const GRACE: Duration = Duration::from_secs(2 * 60);\n}\n",
    );
    let expected = [
        ("limits::handshake::BOTH", 66_560),
        ("limits::handshake::FRAME", 65_527),
        ("limits::handshake::LINE_BYTES", 65_536),
        ("timing::host::GRACE", 120_000_000_000),
    ];
    assert_eq!(constants.0, expected.map(|(name, value)| (name.to_string(), value)).into());
}

#[test]
fn quantities_are_read_with_their_marks() {
    let found = quotes("at most 65,536 bytes<!-- limits::a::B -->, P-256, RFC 6962, v1.2, 250 ms or 64 KiB");
    let quote = |number, word, mark| Quote { number, word, mark };
    assert_eq!(
        found,
        [
            quote(65_536, "bytes", Some("limits::a::B")),
            quote(6962, "", None),
            quote(250, "ms", None),
            quote(64, "KiB", None)
        ]
    );
}
