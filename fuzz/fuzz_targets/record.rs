//! The libFuzzer entry point. The properties are in `src/record.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    portcullis_fuzz::record::check(bytes);
});
