//! The pieces in which clients of the Store service send a value.

use kv::store_proto::write_request::Part;
use kv::store_proto::{Announcement, Commit, WriteRequest};

fn part(part: Part) -> WriteRequest {
    WriteRequest { part: Some(part) }
}

pub(crate) fn announcement(key: &str, size: usize, expected_version: Option<u64>) -> WriteRequest {
    part(Part::Announcement(Announcement { key: key.into(), size: size as u64, expected_version }))
}

pub(crate) fn chunk(bytes: &[u8]) -> WriteRequest {
    part(Part::Chunk(bytes.to_vec().into()))
}

pub(crate) fn commit() -> WriteRequest {
    part(Part::Commit(Commit {}))
}
