//! Bundle directories, assembled from installed packages.

use std::fs;
use std::path::Path;

/// Copies a file or a directory to a new path. Leaves out Python bytecode, TypeScript sources and
/// source maps, which no program needs.
pub(crate) fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        return;
    }
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let path = entry.path();
        let is_needed = path.extension().is_none_or(|extension| extension != "ts" && extension != "map");
        if is_needed && entry.file_name() != "__pycache__" {
            copy(&path, &to.join(entry.file_name()));
        }
    }
}

/// Changes the last byte of a file.
pub(crate) fn change_a_byte(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}
