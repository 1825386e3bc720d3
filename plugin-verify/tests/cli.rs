//! The texts of the program, case by case: each file in `cmd/` is a command line with its exit code
//! and exactly what it prints.

#[test]
fn texts() {
    let cases = trycmd::TestCases::new();
    cases.case("tests/cmd/*.toml");
    if cfg!(not(feature = "probe")) {
        cases.skip("tests/cmd/*probe*.toml");
    }
    if cfg!(not(feature = "report")) {
        cases.skip("tests/cmd/help-audit-report.toml");
        cases.skip("tests/cmd/help-audit.toml");
    }
}
