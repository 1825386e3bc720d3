//! `probe` on real plugins: this very binary, which plays one (well-behaved or hostile) when its
//! first argument says so.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that meets the unexpected fails")]

mod fixtures;
mod place;
mod shown;
mod troubles;

use libtest_mimic::{Arguments, Trial};

macro_rules! cases {
    ($($module:ident :: $case:ident),* $(,)?) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($case)), || { $module::$case(); Ok(()) })),*]
    };
}

fn main() -> std::process::ExitCode {
    if let Some(code) = fixtures::play() {
        return code;
    }
    libtest_mimic::run(
        &Arguments::from_args(),
        cases![
            shown::plugin_is_launched_shown_and_shut_down,
            shown::document_has_this_shape,
            shown::listed_services_are_displayed_escaped,
            shown::only_named_variables_reach_the_plugin,
            shown::private_copy_is_launched_and_removed,
            troubles::file_with_other_digest_is_not_executed,
            troubles::plugin_of_another_version_is_refused,
            troubles::tcp_address_needs_its_switch,
            troubles::stderr_of_a_non_plugin_is_quoted,
            troubles::hanging_plugin_is_given_up,
            troubles::invalid_variable_prevents_the_start,
            troubles::plugin_exit_during_probe_is_a_failure,
            troubles::plugin_with_hidden_services_is_shut_down,
            troubles::interrupted_probe_leaves_nothing,
        ],
    )
    .exit_code()
}
