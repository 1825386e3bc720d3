//! Beside the stages: places on disk that belong to this process alone. [`PrivateDirectory`] makes
//! one and removes it; [`trusted`] says where others cannot tamper with one. Knows neither plugins
//! nor what is put there.
#![forbid(unsafe_code)]

mod directory;
mod durable;
mod place;
mod removal;
mod sweep;

pub(crate) use directory::PrivateDirectory;
#[cfg(feature = "audit")]
pub(crate) use durable::{create, sync_directory_of};
pub(crate) use durable::{directory_of, replace};
pub(crate) use place::{NameFault, Opening, PlaceFault, follow, is_trusted, refuse_name, trusted};

#[cfg(test)]
mod tests;
