//! Every bound on sizes and counts in this program, with its unit and reason. Enforces none of
//! them.

/// The longest proof, checkpoint or record line that a verb reads into memory, in bytes. Real ones
/// have a few kilobytes.
pub(crate) const AUDIT_TEXT_BYTES: u64 = 1024 * 1024;

/// The records that `audit show` keeps in memory for `--last` and `--json`.
pub(crate) const KEPT_RECORDS: usize = 100_000;

/// The bytes of those records.
pub(crate) const KEPT_RECORD_BYTES: usize = 64 * 1024 * 1024;

/// The characters of an event of unknown kind on a line of `audit show`.
pub(crate) const UNKNOWN_EVENT_CHARACTERS: usize = 200;

/// The characters of a hash or identifier on a line of `audit show`: enough to tell them apart.
pub(crate) const SHORT_HASH_CHARACTERS: usize = 8;

/// Bounds of `audit report`. Its memory and its page must not grow with the log, which anyone who
/// can call a plugin makes longer.
#[cfg(feature = "report")]
pub(crate) mod report {
    /// Writers, and losses of records, that are kept: the latest of each.
    pub(crate) const KEPT_WRITERS: usize = 50;
    pub(crate) const KEPT_LOSSES: usize = 50;
    /// Refusals and failed launches that are kept: the latest.
    pub(crate) const KEPT_FAILED_STARTS: usize = 100;
    /// Records in the last table.
    pub(crate) const KEPT_RECORDS: usize = 200;

    /// Weakened guarantees, limits and application events that are counted by name, each.
    pub(crate) const COUNTED_NAMES: usize = 200;
    /// Plugins that are counted, by name and digest.
    pub(crate) const COUNTED_PLUGINS: usize = 500;
    /// Methods that are counted by name.
    pub(crate) const COUNTED_METHODS: usize = 1000;
    /// Outcomes that are counted for each method. gRPC has 17 status codes.
    pub(crate) const COUNTED_OUTCOMES: usize = 20;
    /// Launches that are followed from their start to their end.
    pub(crate) const FOLLOWED_LAUNCHES: usize = 4096;
    /// Slots of the timeline, so that a bar is a few pixels wide.
    pub(crate) const TIMELINE_SLOTS: u64 = 120;

    /// Rows of a table, unless it has its own bound.
    pub(crate) const ROWS: usize = 50;
    /// Plugins that are described.
    pub(crate) const PLUGIN_ROWS: usize = 30;
    /// Launches that are listed.
    pub(crate) const LAUNCH_ROWS: usize = 100;
    /// Outcomes that are listed for each method.
    pub(crate) const OUTCOME_ROWS: usize = 6;
    /// Known checkpoints that are listed.
    pub(crate) const CHECKPOINT_ROWS: usize = 20;
    /// Attestations that are listed for each plugin, and torn tails for each writer.
    pub(crate) const LISTED_ATTESTATIONS: usize = 8;
    pub(crate) const LISTED_TORN_TAILS: usize = 8;

    /// Characters of a text from the log.
    pub(crate) const TEXT_CHARACTERS: usize = 240;
    /// Characters of a program's name or a mode, of a single word, and of a public key.
    pub(crate) const NAME_CHARACTERS: usize = 80;
    pub(crate) const WORD_CHARACTERS: usize = 40;
    pub(crate) const KEY_CHARACTERS: usize = 400;
}
