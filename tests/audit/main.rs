//! Logs written by real processes that are killed, run out of disk space, or compete. This binary
//! is the writer when its first argument says so.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::panic, reason = "tests")]

mod disk;
mod kill;
mod support;

use libtest_mimic::{Arguments, Trial};

macro_rules! cases {
    ($($module:ident :: $case:ident),* $(,)?) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($case)), || { $module::$case(); Ok(()) })),*]
    };
}

fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args().skip(1);
    if let (Some(role), Some(place)) = (arguments.next(), arguments.next()) {
        let role: Option<fn(&std::path::Path)> = match role.as_str() {
            "play=kill" => Some(kill::write),
            "play=full" => Some(disk::fill),
            "play=limit" => Some(disk::outgrow),
            _ => None,
        };
        if let Some(role) = role {
            role(std::path::Path::new(&place));
            return std::process::ExitCode::SUCCESS;
        }
    }
    libtest_mimic::run(
        &Arguments::from_args(),
        cases![
            kill::acknowledged_records_survive_every_kill,
            kill::only_one_process_writes_a_log,
            disk::full_disk_still_records_reserved_outcomes,
            disk::file_size_limit_leaves_no_partial_record,
        ],
    )
    .exit_code()
}
