//! The libFuzzer entry point. The properties are in `src/manifest.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    portcullis_fuzz::manifest::check(bytes);
});
