//! The stages in Node.js, and `compare` with them.

use std::path::Path;

use harness::{Server, workspace};

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
        let error = Server::start(command.env("THREADS", "-1")).unwrap_err();
        assert!(error.to_string().contains("THREADS: expected"), "{error}");
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
            let response = server.get("/blocking");
            assert_eq!(response.status(), 500, "{stage}: {worker}");
            let body = "The worker failed; the server is still running.";
            assert_eq!(response.body(), body);
            assert_eq!(server.get("/non-blocking").status(), 200);
        }
    }
}

#[test]
fn without_node_a_sentence_names_the_version_needed() {
    let mut compare = Compare::new("no-node", &["--node"]);
    compare.command.env("PATH", &compare.report);
    let Outcome { stderr, status, .. } = compare.run();
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains("needs Node.js 18.14 or newer"), "{stderr}");
}
