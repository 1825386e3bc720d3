//! The texts of the program, case by case: each file in `cmd/` is a command line with its exit code
//! and exactly what it prints.

#[test]
fn texts() {
    trycmd::TestCases::new().case("tests/cmd/*.toml");
}
