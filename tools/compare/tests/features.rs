//! Whatever you build, the parts it shares with the rest have the same
//! features, and so are compiled only once. Nothing is built to check that: what
//! holds for each package holds for several.

use std::{collections::BTreeSet, process::Command};

use harness::{STEPS, workspace};

/// The packages of other people that cargo would build, with their features.
fn packages(edges: &str, selection: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(workspace())
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p} {f}"])
        .args(["--edges", edges])
        .arg(selection)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let others = text.lines().filter(|line| !line.contains(" (/"));
    others.map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

#[test]
fn everything_shared_is_compiled_once() {
    let tests = packages("normal,build,dev", "--workspace");
    for name in ["compare"].into_iter().chain(STEPS) {
        for package in packages("normal", &format!("--package={name}")) {
            assert!(
                tests.contains(&package),
                "{name} builds {package}: those aren't its features in \
                 cargo test --workspace; name them all in common/Cargo.toml, \
                 or in the step's"
            );
        }
    }
}
