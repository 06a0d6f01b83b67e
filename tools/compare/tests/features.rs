//! Whatever you build, the parts it shares with the rest have the same
//! features, and so are compiled only once. Nothing is built to check that.

use std::{collections::BTreeSet, process::Command};

use harness::{STEPS, workspace};

/// The packages of other people that cargo would build, with their features.
fn packages(edges: &str, selection: &[String]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(workspace())
        .args(["tree", "--locked", "--prefix", "none", "--format", "{p} {f}"])
        .args(["--edges", edges])
        .args(selection)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let others = text.lines().filter(|line| !line.contains(" (/"));
    others.map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

#[test]
fn everything_shared_is_compiled_once() {
    let all = ["compare"].into_iter().chain(STEPS);
    let all: Vec<_> = all.map(|name| format!("--package={name}")).collect();
    let tests = packages("normal,build,dev", &["--workspace".into()]);
    let alone = all.iter().map(|one| vec![one.clone()]);
    for selection in alone.chain([all.clone(), all[1..].to_vec()]) {
        for package in packages("normal", &selection) {
            assert!(
                tests.contains(&package),
                "{selection:?} builds {package}: those aren't its features in \
                 cargo test --workspace; name them all in common/Cargo.toml, \
                 or in the step's"
            );
        }
    }
}
