//! Describes a file without running it, and warns of everything that its digest does not cover.
//! Makes no decision: a policy does.
#![forbid(unsafe_code)]

mod architecture;
mod capabilities;
mod content;
mod executable;
mod external_files;
mod go;
mod inspection;
mod remark;
mod report;
mod script;

pub use architecture::Architecture;
pub use capabilities::{Capabilities, FileCapabilities};
pub use content::Content;
pub use executable::{Executable, ExecutableKind, Relro, StackUse};
pub use external_files::{Exposure, ExternalFile, SearchEntry};
pub use go::{GoBuild, GoModule};
pub use inspection::{InspectError, Inspection};
pub use remark::Remark;
pub use script::Script;

#[cfg(test)]
mod tests;
