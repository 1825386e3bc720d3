//! What a file is, found out without running it, and what its digest says nothing of. Tells; the
//! verdict is the policy's.
#![forbid(unsafe_code)]

mod capabilities;
mod content;
mod executable;
mod go;
mod machine;
mod places;
mod remark;
mod report;
mod script;
mod subject;

pub use capabilities::{Capabilities, FileCapabilities};
pub use content::Content;
pub use executable::{Executable, ExecutableKind, Relro, StackUse};
pub use go::{GoBuild, GoModule};
pub use machine::Machine;
pub use places::{Exposure, Outside, SearchEntry};
pub use remark::Remark;
pub use script::Script;
pub use subject::{InspectError, Inspection};

#[cfg(test)]
mod tests;
