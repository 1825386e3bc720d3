//! Candidates, changes of a lock, and inventories.

mod candidates;
mod changes;
