//! `plugin-verify doctor`: what the library found out about this machine, as a table or a document.
//! Looks at nothing itself.

use std::fmt;
use std::path::PathBuf;

use cli_support::{Exit, OutputFormat};
use portcullis::machine::{Assessment, Guarantee, Machine, Report, Suitability};
use serde_json::{Value, json};

use crate::OUTPUT;

/// Find out which guarantees this machine can give
///
/// Looks at the kernel, at what processes are kept from doing to each other, and at the directory
/// for temporary files (TMPDIR), as this user and in these namespaces. Tries what leaves no trace,
/// changes nothing, and starts nothing.
///
/// What a launch with everything at its default needs is required, the rest is optional: other
/// modes of execution, and what confines plugins further. Of a directory with plugins it is
/// required that programs may run from its mount.
///
/// Exit status: 0 when everything that is required is given, 1 when something is missing or there
/// only in part, 2 when nothing is known to be missing and something could not be found out.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A directory with plugins: may they run from there, and who else may write it, what is above
    /// it, or what is in it?
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,

    /// Require something that is optional, by the name that the table gives it; can be given
    /// several times
    #[arg(long, value_name = "NAME")]
    require: Vec<Guarantee>,

    #[command(flatten)]
    format: OutputFormat,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let mut machine = Machine::new();
    if let Some(directory) = &arguments.directory {
        machine = machine.with_plugin_directory(directory);
    }
    let report = arguments.require.iter().copied().fold(machine, Machine::require).assess();
    let exit = match report.suitability() {
        Suitability::Sufficient => Exit::Success,
        Suitability::Insufficient => Exit::Refused,
        // Whatever it may be, it is not enough to go on.
        _ => Exit::Failed,
    };
    if arguments.format.json {
        let assessments = report.assessments().iter().map(document).collect::<Vec<_>>();
        return OUTPUT.json("doctor", exit, [("findings", assessments.into())]);
    }
    OUTPUT.print(Table(&report, exit).to_string(), exit)
}

fn document(assessment: &Assessment) -> Value {
    json!({
        "name": assessment.guarantee.name(),
        "state": assessment.status.to_string(),
        "required": assessment.required,
        "purpose": assessment.guarantee.purpose(),
        "evidence": assessment.evidence,
        "advice": assessment.advice,
    })
}

/// Each assessment with what it is for, and what can be done about it; then the verdict.
struct Table<'a>(&'a Report, Exit);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Assessment { guarantee, status, required, evidence, advice, .. } in self.0.assessments() {
            let required = if *required { "required" } else { "optional" };
            writeln!(f, "{status:<7}  {required}  {guarantee:<18}  {evidence}")?;
            writeln!(f, "                   for  {}", guarantee.purpose())?;
            if let Some(advice) = advice {
                writeln!(f, "                   do   {advice}")?;
            }
        }
        f.write_str(match self.1 {
            Exit::Success => "this machine gives everything that is required\n",
            Exit::Refused => "this machine does not give everything that is required\n",
            Exit::Failed => "whether this machine gives everything that is required could not be found out\n",
        })
    }
}
