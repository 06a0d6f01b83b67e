//! What the workspace is built from builds with the oldest compiler that it
//! promises.

use std::{env, process::Command};

use harness::workspace;
use serde_json::Value;

/// As 1.89, or 1.89.0.
fn version(text: &str) -> [u32; 3] {
    let mut parts = text.split('.').map(|it| it.parse().expect(text));
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

#[test]
fn no_dependency_needs_a_newer_compiler_than_the_workspace() {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(workspace())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {said}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (ours, others): (Vec<&Value>, Vec<&Value>) = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .partition(|it| it["source"].is_null());
    let promised = ours[0]["rust_version"].as_str().expect("rust-version");
    assert!(ours.iter().all(|it| it["rust_version"] == promised));
    assert!(others.len() > 100, "{} packages", others.len());
    let newer: Vec<String> = others
        .iter()
        .filter_map(|it| {
            let needs = it["rust_version"].as_str()?;
            (version(needs) > version(promised)).then(|| {
                format!("{} {} needs {needs}", it["name"], it["version"])
            })
        })
        .collect();
    assert!(
        newer.is_empty(),
        "rust-version is {promised}, but\n{}\ntake an older version of each, \
         or raise rust-version in Cargo.toml",
        newer.join("\n")
    );
}
