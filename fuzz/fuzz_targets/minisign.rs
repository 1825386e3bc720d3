//! The libFuzzer entry point. The properties are in `src/minisign.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    portcullis_fuzz::minisign::check(bytes);
});
