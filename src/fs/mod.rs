//! Beside the stages: places on disk that belong to this process alone. [`PrivateDirectory`] makes
//! one and removes it; [`trusted`] says where others cannot tamper with one. Knows neither plugins
//! nor what is put there.
#![forbid(unsafe_code)]

mod durable;
mod location;
mod private_directory;
mod removal;
mod sweep;

#[cfg(feature = "audit")]
pub(crate) use durable::{create, sync_directory_of};
pub(crate) use durable::{directory_of, replace};
pub(crate) use location::{NameFault, Opening, PlaceFault, follow, is_trusted, refuse_name, trusted};
pub(crate) use private_directory::PrivateDirectory;

#[cfg(test)]
mod tests;
