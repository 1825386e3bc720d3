//! Lines of prose fit a hundred columns, and names of tests are sentences of a few words.

use super::tree::{prose, read, tracked};

const COLUMNS: usize = 100;

/// The words of a test's name.
const NAME_WORDS: usize = 8;

/// Files that are generated, or whose lines are data.
fn is_exempt(path: &str) -> bool {
    (path.contains("/generated/") && !path.ends_with("/mod.rs")) || path.contains("tests/cmd/")
}

#[test]
fn documents_fit_the_columns() {
    let mut long = Vec::new();
    for path in tracked(&["*.md"]) {
        let text = read(&path);
        let lines = prose(&text).into_iter().filter(|(_, line)| !line.starts_with('|') && !fits(line));
        long.extend(lines.map(|(number, _)| format!("{path}:{number}")));
    }
    assert!(long.is_empty(), "over {COLUMNS} columns:\n{}", long.join("\n"));
}

#[test]
fn comments_fit_the_columns() {
    let mut long = Vec::new();
    for path in tracked(&["*.rs", "*.toml", ".ci/run", "fuzz/run", "benches/setup-valgrind", "tests/interop/setup-*"]) {
        if is_exempt(&path) {
            continue;
        }
        let text = read(&path);
        let marker = if path.ends_with(".rs") { "//" } else { "#" };
        let mut fenced = false;
        for (index, line) in text.lines().enumerate() {
            let Some(comment) = line.trim_start().strip_prefix(marker) else {
                fenced = false;
                continue;
            };
            let comment = comment.trim_start_matches(['/', '!']).trim_start();
            let is_fence = comment.starts_with("```");
            if !fenced && !is_fence && !comment.starts_with('|') && !fits(line) {
                long.push(format!("{path}:{}", index + 1));
            }
            fenced ^= is_fence;
        }
    }
    assert!(long.is_empty(), "over {COLUMNS} columns:\n{}", long.join("\n"));
}

/// Whether a line fits without what cannot be broken: targets of links, and marks for
/// [`numbers`](super::numbers).
fn fits(line: &str) -> bool {
    if line.contains("://") {
        return true;
    }
    let without_marks = line.split("<!--").enumerate();
    let without_marks = without_marks.map(|(index, part)| match index {
        0 => part,
        _ => part.split_once("-->").map_or(part, |(_, rest)| rest),
    });
    let text: String = without_marks.collect();
    let links = text.split("](").enumerate();
    let shown = links.map(|(index, part)| match index {
        0 => part,
        _ => part.split_once(')').map_or(part, |(_, rest)| rest),
    });
    shown.map(|part| part.chars().count()).sum::<usize>() <= COLUMNS
}

#[test]
fn test_names_are_short_sentences() {
    let mut long = Vec::new();
    for path in tracked(&["*.rs"]) {
        let text = read(&path);
        long.extend(tests(&text).into_iter().filter(|name| name.split('_').count() > NAME_WORDS).map(|name| {
            let words = name.split('_').count();
            format!("{path}: {name} has {words} words")
        }));
    }
    assert!(long.is_empty(), "more than {NAME_WORDS} words:\n{}", long.join("\n"));
}

/// The names of the tests in a file: the functions below `#[test]`, and those that a list of
/// `module::case` names.
fn tests(text: &str) -> Vec<&str> {
    let mut tests = Vec::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") && line.ends_with("test]") || line.starts_with("#[tokio::test(") {
            marked = true;
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| marked) {
            tests.extend(rest.split('(').next());
            marked = false;
        } else if let Some((_, case)) = line.strip_suffix(',').and_then(|line| line.split_once("::")) {
            let plain = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            tests.extend(plain(line.trim_end_matches(',').replace("::", "").as_str()).then_some(case));
        }
    }
    tests
}

#[test]
fn both_kinds_of_tests_are_seen() {
    let text = "#[test]\nfn one_thing() {\n}\ncases![\n    launch::other_thing,\n    Type::Variant,\n]\nfn helper() {}";
    assert_eq!(tests(text), ["one_thing", "other_thing"]);
}
