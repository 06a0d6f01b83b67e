//! What `--help` prints. Examples have the settings of the steps.

use harness::{STEPS, build, command, programs};

const TOOLS: [&str; 3] = ["compare", "docs", "learn"];

#[test]
fn help_begins_with_one_line_and_fits_into_a_terminal() {
    let mut build = build([]);
    // With the examples, these have the features they have in all tests.
    let output = build.args(["--workspace", "--bins", "--examples"]).output();
    let programs = programs(&output.unwrap().stdout);
    for name in STEPS.into_iter().chain(TOOLS) {
        let output = command(&programs[name]).arg("--help").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let (about, _) = help.split_once("\n\nUsage: ").expect(name);
        assert!(!about.is_empty() && !about.contains('\n'), "{name}: {help}");
        let widest = help.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{name}: {help}");
    }
}
