//! Plugins of any size: a real one, with bytes appended. No loader looks at what follows the last
//! segment; every digest does.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// Makes a program that starts as `program` does and has `size` bytes, always the same ones.
///
/// # Errors
///
/// When a file cannot be read or written, or `program` is larger already.
pub fn copy_padded(program: &Path, to: &Path, size: u64) -> Result<()> {
    let own = fs::copy(program, to)?;
    let missing = size.checked_sub(own);
    let missing = missing.with_context(|| format!("{} is larger than {size} bytes already", program.display()))?;
    let mut state: u64 = 1;
    // Not zeros: a file of them could be stored as less than it is.
    let bytes = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    let bytes: Vec<u8> = bytes.take(usize::try_from(missing)?).collect();
    Ok(fs::OpenOptions::new().append(true).open(to)?.write_all(&bytes)?)
}
