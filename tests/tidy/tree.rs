//! The tracked files of the tree, and the two ways in which the other rules read them: the words of
//! Rust code, and the prose of a Markdown document.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The paths of the tracked files that match a Git pathspec, relative to the root of the tree.
pub(crate) fn tracked(patterns: &[&str]) -> Vec<String> {
    let listed = Command::new("git").arg("ls-files").args(patterns).current_dir(crate::root()).output().unwrap();
    assert!(listed.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&listed.stderr));
    let paths: Vec<_> = String::from_utf8(listed.stdout).unwrap().lines().map(String::from).collect();
    // A file that is deleted and not yet staged is still listed.
    let paths: Vec<_> = paths.into_iter().filter(|path| crate::root().join(path).exists()).collect();
    assert!(!paths.is_empty(), "no tracked file matches {patterns:?}");
    paths
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = crate::root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Splits text into identifiers of Rust.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The lines of a document outside its fenced blocks, with their numbers from 1.
pub(crate) fn prose(document: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let mut prose = Vec::new();
    for (index, line) in document.lines().enumerate() {
        let fence = line.trim_start().starts_with("```");
        if !fence && !fenced {
            prose.push((index + 1, line));
        }
        fenced ^= fence;
    }
    assert!(!fenced, "a fenced block has no end");
    prose
}

/// What the code of the tree declares and uses, comments apart.
pub(crate) struct Code {
    files: Vec<BTreeSet<String>>,
    declared: BTreeSet<String>,
}

impl Code {
    pub(crate) fn read() -> Self {
        let mut code = Self { files: Vec::new(), declared: BTreeSet::new() };
        let texts = tracked(&["*.rs", "*.toml", "*.proto", "*.sh", "*.go"]).into_iter().map(|path| (read(&path), path));
        for (text, path) in texts {
            let lines: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            for line in &lines {
                code.declare(line);
            }
            let mut names: BTreeSet<_> = lines.iter().flat_map(|line| words(line)).map(String::from).collect();
            // A file's module is a name in it, as in `escape::Chain`.
            names.extend(path.split(['/', '.']).map(|part| part.replace('-', "_")));
            code.files.push(names);
        }
        code
    }

    fn declare(&mut self, line: &str) {
        const KEYWORDS: [&str; 10] =
            ["const", "enum", "fn", "macro_rules", "mod", "static", "struct", "trait", "type", "union"];
        let found: Vec<_> = words(line).collect();
        for pair in found.windows(2).filter(|pair| KEYWORDS.contains(&pair[0])) {
            self.declared.insert(pair[1].to_string());
        }
    }

    pub(crate) fn declares(&self, name: &str) -> bool {
        self.declared.contains(name)
    }

    /// Whether one file uses all of these names.
    pub(crate) fn uses_together(&self, names: &[&str]) -> bool {
        self.files.iter().any(|file| names.iter().all(|name| file.contains(*name)))
    }
}
