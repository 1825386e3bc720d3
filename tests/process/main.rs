//! Tests with real processes. The library launches this binary, which plays a well-behaved or a
//! hostile plugin (see `fixtures`) when its first argument names one.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::zombie_processes, reason = "some fixtures leave processes behind on purpose")]

#[cfg(feature = "audit")]
mod audit;
mod fixtures;
mod handshake;
mod launch;
mod lifetime;
mod peer;
mod race;
mod raw_server;
mod recorder;
#[cfg(feature = "reflection")]
mod reflector;
#[cfg(feature = "reflection")]
mod services;
mod slow;
mod support;
mod talk;

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
            launch::ready_plugin_is_reported,
            launch::running_image_has_the_verified_digest,
            launch::plugin_gets_only_what_was_given,
            launch::plugin_does_not_inherit_ignored_signals,
            launch::plugin_output_cannot_be_reopened,
            launch::same_user_cannot_inspect_a_plugin,
            launch::plugin_cannot_open_later_images,
            launch::exec_keeps_the_launched_process,
            launch::machine_report_matches_reality,
            launch::any_start_timeout_is_accepted,
            launch::given_arguments_and_environment_reach_the_plugin,
            launch::every_execution_mode_works_and_is_reported,
            launch::relaunch_uses_cached_image_after_replacement,
            launch::early_output_breaks_nothing,
            launch::missing_working_directory_is_a_named_error,
            launch::invalid_cookie_name_is_a_named_error,
            launch::endless_output_does_not_block,
            handshake::early_exit_reports_status_and_stderr,
            handshake::fatal_signal_is_reported,
            handshake::held_output_does_not_delay_exit_report,
            handshake::silent_plugin_hits_the_deadline,
            handshake::slow_line_does_not_extend_the_deadline,
            handshake::endless_line_is_cut_off,
            handshake::banner_is_not_a_handshake_line,
            handshake::rejected_line_is_a_named_error,
            handshake::plugin_that_ignores_the_certificate_is_refused,
            peer::other_process_is_refused_before_any_byte,
            peer::symlink_out_of_the_directory_is_refused,
            peer::symlinked_directory_is_refused,
            peer::non_socket_is_refused,
            peer::listener_without_tls_is_refused,
            peer::other_certificate_than_announced_is_refused,
            peer::announced_certificate_without_key_is_refused,
            peer::listener_without_http2_is_refused,
            peer::rejection_by_the_plugin_is_reported,
            peer::silent_listener_hits_the_deadline,
            peer::disconnecting_listener_is_a_named_error,
            peer::plugin_without_health_service_is_not_ready,
            peer::not_serving_plugin_is_not_ready,
            peer::malformed_health_status_is_a_named_error,
            peer::server_that_waits_for_client_is_reached,
            peer::lost_connection_is_not_replaced,
            peer::tcp_needs_the_switch,
            peer::plugin_refuses_clients_without_the_certificate,
            lifetime::shutdown_asks_first,
            lifetime::shutdown_lets_running_calls_finish,
            lifetime::plugin_can_be_killed_immediately,
            lifetime::exited_plugin_fails_every_call,
            lifetime::plugin_without_controller_is_terminated,
            lifetime::stubborn_plugin_is_killed,
            lifetime::stopped_plugin_does_not_hang_shutdown,
            lifetime::output_held_by_grandchild_does_not_hang_shutdown,
            lifetime::process_group_ends_with_its_plugin,
            lifetime::unexpected_exit_is_noticed,
            lifetime::dropped_plugin_is_killed_and_its_directory_removed,
            lifetime::launch_can_be_cancelled_at_any_time,
            lifetime::killed_host_leaves_no_plugin,
            lifetime::plugin_exits_when_its_host_is_gone,
            lifetime::plugin_survives_the_launching_thread,
            lifetime::plugin_ignores_sigint_and_honors_sigterm,
            recorder::application_recorder_sees_a_whole_launch,
            recorder::failing_recorder_prevents_the_launch,
            recorder::failing_recorder_prevents_the_call,
            race::file_swapped_by_rename_never_runs,
            race::file_rewritten_in_place_never_runs,
            race::private_copy_starts_while_other_threads_fork,
        ]
        .into_iter()
        .chain(cases_with_reflection())
        .chain(cases_with_audit())
        .collect(),
    )
    .exit_code()
}

#[cfg(feature = "audit")]
fn cases_with_audit() -> Vec<Trial> {
    cases![
        audit::launch_is_recorded_from_verification_to_exit,
        audit::refusal_is_recorded_with_its_reason,
        audit::unrecordable_approval_is_a_refusal,
        audit::no_process_starts_without_a_record,
        audit::no_process_starts_on_a_full_disk,
        audit::plugin_with_unrecordable_start_is_killed,
        audit::failed_launch_has_a_recorded_outcome,
        audit::failed_launch_does_not_wait_for_disk,
        audit::cancelled_launch_has_a_recorded_outcome,
        audit::start_limits_are_recorded,
        audit::waived_guarantees_are_recorded_first,
        audit::log_beside_plugins_is_refused,
        audit::unary_call_makes_two_records,
        audit::error_response_is_recorded,
        audit::stream_messages_are_recorded_before_delivery,
        audit::host_messages_in_a_stream_are_recorded,
        audit::plugin_killed_in_a_call_is_recorded,
        audit::abandoned_call_is_recorded,
        audit::oversized_message_is_refused_and_recorded,
        audit::unrecordable_call_is_not_made,
        audit::log_holds_no_payload,
        audit::exit_of_a_dropped_plugin_is_recorded,
        audit::every_launch_has_a_unique_name,
        audit::best_effort_plugins_run_without_the_log,
        audit::launch_without_a_log_has_no_name,
    ]
}

#[cfg(not(feature = "audit"))]
fn cases_with_audit() -> Vec<Trial> {
    eprintln!("SKIPPED: the tests of the audit log need --features audit");
    Vec::new()
}

#[cfg(feature = "reflection")]
fn cases_with_reflection() -> Vec<Trial> {
    cases![
        services::reflection_lists_the_services,
        services::older_reflection_is_the_fallback,
        services::plugin_without_reflection_gets_no_calls,
        services::endless_list_ends_after_first_response,
        services::oversized_service_list_is_rejected,
        services::silent_reflection_times_out,
        services::malformed_reflection_response_is_a_named_error,
    ]
}

#[cfg(not(feature = "reflection"))]
fn cases_with_reflection() -> Vec<Trial> {
    eprintln!("SKIPPED: the tests of server reflection need --features reflection");
    Vec::new()
}
