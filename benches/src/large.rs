//! Plugins of any size: a real one, with bytes appended. Loaders ignore bytes after the last
//! segment; digests cover them.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// Copies `program` to `to` and pads it to `size` bytes, always with the same ones.
///
/// # Errors
///
/// When a file cannot be read or written, or `program` is larger already.
pub fn copy_padded(program: &Path, to: &Path, size: u64) -> Result<()> {
    let own = fs::copy(program, to)?;
    let missing = size.checked_sub(own);
    let missing = missing.with_context(|| format!("{} is larger than {size} bytes already", program.display()))?;
    let mut state: u64 = 1;
    // Not zeros, which a file system could store as a hole.
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    let bytes: Vec<u8> = bytes.take(usize::try_from(missing)?).collect();
    Ok(fs::OpenOptions::new().append(true).open(to)?.write_all(&bytes)?)
}
