//! The bytes of a plugin: opened, read, hashed, kept unchanged, and their format recognized.
//! Decides nothing about whether they may run.

pub(crate) mod batch;
pub(crate) mod bundle;
pub(crate) mod cache;
pub(crate) mod elf;
pub(crate) mod format;
pub(crate) mod image;
pub(crate) mod linkage;
pub(crate) mod owners;
pub(crate) mod plugin_file;
pub(crate) mod tree;
pub(crate) mod view;
