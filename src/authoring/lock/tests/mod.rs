//! What may be added to a lock file, and what is found beside one.

mod candidates;
mod changes;
