//! What `--help` prints, in every program that has it.

use std::{collections::BTreeMap, process::Command};

use harness::{build, command, programs, workspace};
use serde_json::Value;

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

/// The description of each package with a program of that name.
fn descriptions() -> BTreeMap<String, String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(workspace())
        .args(["metadata", "--locked", "--no-deps", "--format-version=1"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .filter(|package| {
            let mut targets = package["targets"].as_array().unwrap().iter();
            targets.any(|target| target["kind"][0] == "bin")
        })
        .map(|package| (text(&package["name"]), text(&package["description"])))
        .collect()
}

#[test]
fn help_is_the_programs_own_and_fits_into_a_terminal() {
    let mut build = build([]);
    // With the examples, these have the features they have in all tests.
    let output = build.args(["--workspace", "--bins", "--examples"]).output();
    let programs = programs(&output.unwrap().stdout);
    let descriptions = descriptions();
    assert!(descriptions.len() >= 12, "{descriptions:?}");
    let names = descriptions.keys().map(String::as_str).chain(EXAMPLES);
    let mut wrong = String::new();
    for name in names {
        let help = |flag: &str| {
            let mut command = command(&programs[name]);
            let output = command.arg(flag).output().unwrap();
            assert!(output.status.success(), "{name} {flag}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let text = help("--help");
        // Nothing about how its settings are made.
        let (about, _) = text.split_once("\n\nUsage: ").unwrap_or_default();
        let is_its_own = match descriptions.get(name) {
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
