#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    epsiloscope_fuzz::run("model", data);
});
