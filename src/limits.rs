//! Every size and count that this crate bounds something by, one module per room. Durations are in
//! `timing.rs`; lengths that a format fixes stay beside the format.
#![allow(dead_code, reason = "a feature that is switched off leaves the limits of its room unused")]

/// `audit`
pub(crate) mod audit {}

/// `authoring`
pub(crate) mod authoring {}

/// `event`
pub(crate) mod event {}

/// `fs`
pub(crate) mod fs {
    /// Symbolic links that are followed in one path: as many as the kernel follows
    /// (path_resolution(7)).
    pub(crate) const SYMLINKS: usize = 40;

    /// Bytes of the path of a private directory that holds sockets. The address of a socket has at
    /// most 107 bytes (unix(7)), and peers append `/plugin` and up to twenty digits.
    pub(crate) const SOCKET_DIRECTORY_BYTES: usize = 107 - 28;

    /// Attempts to create a private directory. One fails only if another process locks the new
    /// directory first.
    pub(crate) const CREATE_ATTEMPTS: u32 = 16;

    /// Entries that a drop removes beyond those that the caller announced: the marker, and a little
    /// that may have been added.
    pub(crate) const ENTRIES_MARGIN: u32 = 16;

    /// Entries that a drop removes before it hands the directory to the remover thread: a launch
    /// leaves a few sockets.
    pub(crate) const QUICK_ENTRIES: usize = 8;

    /// Levels of directories that are removed. No files of this library are deeper; a plugin that
    /// nests deeper leaves them on disk.
    pub(crate) const REMOVAL_DEPTH: u32 = 40;

    /// Entries of one private directory, or of all those that one sweep finds, that are removed. A
    /// plugin that leaves more leaves them on disk.
    pub(crate) const REMOVAL_ENTRIES: u32 = 10_000;
}

/// `handshake`
pub(crate) mod handshake {}

/// `host`
pub(crate) mod host {}

/// `inspect`
pub(crate) mod inspect {}

/// `launch`, `exec` and `environment`
pub(crate) mod launch {}

/// `machine`
pub(crate) mod machine {}

/// `plugin`
pub(crate) mod plugin {}

/// `rpc`
pub(crate) mod rpc {}

/// `tls`
pub(crate) mod tls {}

/// `transport`
pub(crate) mod transport {}

/// `verify`
pub(crate) mod verify {}
