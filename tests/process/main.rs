//! Real processes: the library launches this very binary, which plays a plugin (well-behaved or
//! hostile) when its first argument says so.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::zombie_processes, reason = "fixtures that leave processes behind on purpose")]

#[cfg(feature = "audit")]
mod audit;
mod fixtures;
mod handshake;
mod launch;
mod lifetime;
mod peer;
mod race;
mod raw_server;
#[cfg(feature = "reflection")]
mod reflector;
#[cfg(feature = "reflection")]
mod services;
mod slow;
mod support;
#[cfg(feature = "audit")]
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
            launch::a_plugin_is_ready_and_reported,
            launch::the_running_image_has_the_verified_digest,
            launch::nothing_reaches_the_plugin_that_was_not_given,
            launch::the_hosts_ignored_signals_are_not_the_plugins,
            launch::nobody_can_open_a_plugins_output,
            launch::others_of_the_same_user_cannot_look_into_a_plugin,
            launch::a_plugin_cannot_open_the_image_of_later_launches,
            launch::a_verified_program_in_the_place_of_what_was_launched_is_that_process,
            launch::the_machine_was_examined_rightly,
            launch::any_start_timeout_is_taken,
            launch::what_is_given_reaches_the_plugin,
            launch::every_mode_of_execution_works_and_is_reported,
            launch::a_relaunch_comes_from_the_cache_after_the_file_was_replaced,
            launch::an_early_print_breaks_nothing,
            launch::a_missing_working_directory_is_a_named_error,
            launch::a_cookie_that_is_no_variable_is_a_named_error,
            launch::a_plugin_that_prints_without_end_does_not_block,
            handshake::a_plugin_that_exits_is_reported_with_its_status_and_last_words,
            handshake::a_plugin_that_a_signal_ends_is_reported_with_it,
            handshake::a_plugin_that_ended_is_not_waited_for_though_its_output_is_held,
            handshake::a_silent_plugin_runs_into_the_deadline,
            handshake::a_slow_line_does_not_move_the_deadline,
            handshake::a_line_without_end_is_cut_off,
            handshake::a_banner_is_no_handshake_line,
            handshake::a_refused_line_is_a_named_error,
            handshake::a_plugin_that_ignored_the_certificate_is_refused,
            peer::another_process_at_the_address_is_refused_before_a_byte_is_sent,
            peer::a_link_out_of_the_directory_is_not_followed,
            peer::a_linked_directory_is_not_entered,
            peer::what_is_no_socket_is_refused,
            peer::a_listener_without_tls_is_refused,
            peer::another_certificate_than_announced_is_refused,
            peer::the_announced_certificate_without_its_key_is_refused,
            peer::a_listener_without_http2_is_refused,
            peer::a_plugin_that_refuses_the_host_says_so,
            peer::a_listener_that_never_speaks_runs_into_the_deadline,
            peer::a_listener_that_hangs_up_is_a_named_error,
            peer::a_plugin_without_health_is_not_ready,
            peer::a_plugin_that_is_not_serving_is_not_ready,
            peer::a_status_that_cannot_be_read_to_its_end_is_a_named_error,
            peer::a_server_that_waits_for_the_client_is_still_reached,
            peer::a_lost_connection_is_not_made_again,
            peer::tcp_needs_the_switch,
            peer::a_plugin_lets_nobody_in_without_the_certificate,
            lifetime::shutdown_asks_first,
            lifetime::calls_under_way_may_end_before_a_shutdown,
            lifetime::a_plugin_can_be_killed_at_once,
            lifetime::nobody_answers_for_a_plugin_that_has_ended,
            lifetime::a_plugin_that_cannot_be_asked_is_terminated,
            lifetime::a_stubborn_plugin_is_killed,
            lifetime::a_stopped_plugin_does_not_hang_the_shutdown,
            lifetime::a_grandchild_that_holds_the_output_does_not_hang_the_shutdown,
            lifetime::a_plugins_group_ends_with_it,
            lifetime::an_unexpected_end_is_noticed,
            lifetime::dropping_a_plugin_kills_it_and_removes_its_directory,
            lifetime::a_launch_can_be_cancelled_at_any_time,
            lifetime::a_killed_host_leaves_no_plugin,
            lifetime::a_plugin_exits_when_its_host_is_gone,
            lifetime::a_plugin_survives_the_thread_that_launched_it,
            lifetime::a_plugin_ignores_interrupts_and_heeds_termination,
            race::a_file_exchanged_by_name_never_runs_wrong,
            race::a_file_written_in_place_never_runs_wrong,
            race::a_private_copy_starts_while_others_fork,
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
        audit::a_launch_is_recorded_from_its_verification_to_its_end,
        audit::what_may_not_run_is_recorded_with_the_reason,
        audit::what_may_run_and_cannot_be_recorded_may_not,
        audit::nothing_is_started_without_a_record,
        audit::nothing_is_started_when_the_disk_is_full,
        audit::a_plugin_whose_start_cannot_be_recorded_is_killed,
        audit::a_launch_that_fails_has_an_outcome,
        audit::a_launch_that_fails_waits_for_no_disk_that_does_not_answer,
        audit::a_launch_that_is_cancelled_has_an_outcome,
        audit::limits_of_a_start_are_recorded,
        audit::what_a_host_gives_up_is_recorded_before_it_is_given_up,
        audit::a_log_among_plugins_is_refused,
        audit::a_single_call_makes_two_records,
        audit::an_answer_that_is_an_error_is_recorded,
        audit::what_a_stream_answers_is_recorded_before_it_is_given,
        audit::what_a_host_says_in_a_stream_is_recorded,
        audit::a_plugin_that_is_killed_in_a_call_is_recorded,
        audit::a_call_that_nobody_waits_for_is_recorded,
        audit::a_message_beyond_the_limit_is_refused_and_recorded,
        audit::a_call_that_cannot_be_recorded_is_not_made,
        audit::nothing_that_was_said_is_in_the_log,
        audit::the_end_of_a_plugin_that_is_dropped_is_recorded,
        audit::each_launch_has_a_name_of_its_own,
        audit::in_best_effort_plugins_run_though_the_log_is_gone,
        audit::a_launch_without_a_log_has_no_name,
    ]
}

#[cfg(not(feature = "audit"))]
fn cases_with_audit() -> Vec<Trial> {
    eprintln!("SKIPPED: what is recorded takes --features audit");
    Vec::new()
}

#[cfg(feature = "reflection")]
fn cases_with_reflection() -> Vec<Trial> {
    cases![
        services::a_plugin_with_reflection_is_taken_at_its_word,
        services::the_older_reflection_is_asked_where_there_is_no_newer,
        services::a_plugin_without_reflection_lists_nothing_and_is_not_called,
        services::a_list_without_end_is_cut_off_after_its_first_answer,
        services::a_list_beyond_its_bounds_is_refused,
        services::a_plugin_that_does_not_tell_its_services_is_left_in_time,
        services::a_bad_answer_about_services_is_a_named_error,
    ]
}

#[cfg(not(feature = "reflection"))]
fn cases_with_reflection() -> Vec<Trial> {
    eprintln!("SKIPPED: what a plugin says of its services takes --features reflection");
    Vec::new()
}
