//! What `--help` prints, in every program that has it.

use std::fs;

use harness::{STEPS, build, command, programs, workspace};

/// Packages with a program of their name.
const TOOLS: [&str; 3] = ["docs", "tools/compare", "tools/learn"];

/// The examples whose settings clap reads.
const EXAMPLES: [&str; 9] = [
    "cure-actix",
    "cure-axum",
    "cure-rayon",
    "rayon",
    "spawn_blocking",
    "thumbnail",
    "two-workers",
    "watched",
    "web_block",
];

/// A program and its package's description; an example has no such one.
fn described(path: &str) -> (&str, Option<String>) {
    let name = path.trim_start_matches("tools/");
    let manifest = workspace().join(path).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap_or_default();
    let mut lines = manifest.lines();
    let line = lines.find_map(|line| line.strip_prefix("description = "));
    (name, line.map(|text| text.trim_matches('"').to_owned()))
}

#[test]
fn help_is_the_programs_own_and_fits_into_a_terminal() {
    let mut build = build([]);
    // With the examples, these have the features they have in all tests.
    let output = build.args(["--workspace", "--bins", "--examples"]).output();
    let programs = programs(&output.unwrap().stdout);
    let mut wrong = String::new();
    for path in STEPS.into_iter().chain(TOOLS).chain(EXAMPLES) {
        let (name, description) = described(path);
        let help = |flag: &str| {
            let mut command = command(&programs[name]);
            let output = command.arg(flag).output().unwrap();
            assert!(output.status.success(), "{name} {flag}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let text = help("--help");
        // Nothing about how its settings are made.
        let (about, _) = text.split_once("\n\nUsage: ").unwrap_or_default();
        let is_its_own = match description {
            Some(description) => about == description,
            None => !about.is_empty() && !about.contains('\n'),
        };
        let widest = text.lines().map(|line| line.chars().count()).max();
        if !is_its_own || widest > Some(80) || text != help("-h") {
            wrong += &format!("{name} --help, up to {widest:?}:\n{text}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
