//! `plugin-verify doctor`: the library's report on this machine, as a table or a JSON document.
//! Examines nothing itself.

use std::fmt;
use std::path::PathBuf;

use cli_support::{Exit, OutputFormat};
use portcullis::machine::{Assessment, Guarantee, Machine, Report, Suitability};
use serde_json::{Value, json};

use crate::OUTPUT;

/// Report which security guarantees this machine can give
///
/// Examines the kernel, process isolation and the temporary directory (TMPDIR), for this user and
/// in the current namespaces. Changes nothing and starts nothing.
///
/// A launch with default settings needs the guarantees marked "required". The optional ones belong
/// to other execution modes and to further confinement.
///
/// Example: plugin-verify doctor --directory /usr/lib/myapp/plugins
///
/// Exit status: 0 everything required is given, 1 something required is missing or partial, 2
/// something required could not be determined.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Plugin directory to examine: whether programs may run from its mount, and who else may write
    /// to it, its parents and its files
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,

    /// Require an optional guarantee, by its name in the table. May be repeated
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
        // A suitability that this version does not know is not enough.
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

/// Each assessment with its purpose and the advice, then the verdict.
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
            Exit::Success => "this machine gives every required guarantee\n",
            Exit::Refused => "this machine lacks a required guarantee\n",
            Exit::Failed => "a required guarantee could not be determined\n",
        })
    }
}
