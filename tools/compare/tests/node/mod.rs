//! The stages in Node.js, and `compare` with them.

use std::path::Path;

use harness::{Server, StartError, workspace};

use super::*;

fn folder() -> PathBuf {
    workspace().join("tools/peers/node")
}

fn command(folder: &Path, stage: &str) -> Command {
    let mut command = harness::command("node");
    command.arg(folder.join(stage).with_extension("mjs"));
    command
}

#[test]
fn each_stage_counts_exactly_wherever_it_is_started() {
    if !harness::has_node() {
        return;
    }
    for stage in compare::options::NODE {
        let mut command = command(&folder(), stage);
        // Seven threads can't have the same share.
        command.env("ITERATIONS", "1_000_003").env("THREADS", "7");
        let server = Server::start(command.current_dir("/")).unwrap();
        assert_eq!(server.get("/blocking").body(), "Result is 1000003");
    }
}

#[test]
fn a_request_whose_worker_fails_or_exits_silently_gets_a_500() {
    if !harness::has_node() {
        return;
    }
    let broken = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("broken");
    fs::create_dir_all(&broken).unwrap();
    for file in fs::read_dir(folder()).unwrap().flatten() {
        fs::copy(file.path(), broken.join(file.file_name())).unwrap();
    }
    for worker in ["throw new Error('secret');", "process.exit();", ""] {
        fs::write(broken.join("worker.mjs"), worker).unwrap();
        for stage in &compare::options::NODE[1..] {
            let server = Server::start(&mut command(&broken, stage)).unwrap();
            for _ in 0..2 {
                let response = server.get("/blocking");
                assert_eq!(response.status(), 500, "{stage}: {worker}");
                let body = "The worker failed; the server is still running.";
                assert_eq!(response.body(), body);
            }
            assert_eq!(server.get("/non-blocking").status(), 200);
        }
    }
}

#[test]
fn an_unusable_setting_ends_a_stage_with_a_sentence() {
    if !harness::has_node() {
        return;
    }
    for (name, value) in [
        ("ITERATIONS", "0"),
        ("ITERATIONS", "1e9"),
        ("THREADS", "-1"),
        ("PORT", "70000"),
    ] {
        let mut command = command(&folder(), "node3-multi-worker");
        let error = Server::start(command.env(name, value)).unwrap_err();
        let StartError::Ended { status, stderr, .. } = error else {
            panic!("{name}={value}: {error}");
        };
        assert_eq!(status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(name) && stderr.contains(value), "{stderr}");
    }
}

#[cfg(unix)]
#[test]
fn without_node_or_with_an_old_one_a_sentence_names_the_version_needed() {
    use std::os::unix::fs::PermissionsExt;

    let mut compare = Compare::new("no-node", &["--node"]);
    compare.command.env("PATH", &compare.report);
    fs::create_dir_all(&compare.report).unwrap();
    for version in [None, Some("v12.22.9"), Some("v18.13.0")] {
        if let Some(version) = version {
            let node = compare.report.join("node");
            fs::write(&node, format!("#!/bin/sh\necho {version}\n")).unwrap();
            let executable = fs::Permissions::from_mode(0o755);
            fs::set_permissions(node, executable).unwrap();
        }
        let Outcome { stdout, stderr, status } = compare.outcome();
        assert_eq!(status, Some(1), "{stderr}");
        let needed = "--node needs Node.js 18.14 or newer";
        assert!(stderr.contains(needed), "{stderr}");
        assert!(stderr.contains(version.unwrap_or("can't run")), "{stderr}");
        assert!(stdout.is_empty());
    }
}
