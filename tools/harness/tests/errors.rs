//! A program that isn't a server causes a clear error, not a hang.
#![cfg(unix)]

use std::process::Command;

use harness::{Server, StartError};
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

fn shell(script: &str) -> StartError {
    let mut command = Command::new("sh");
    Server::start(command.args(["-c", script])).unwrap_err()
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let error = Server::start(&mut harness::command("no/such/program"));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("can't run no/such/program"), "{error}");
}

#[test]
fn a_server_that_ends_is_reported_with_its_standard_error() {
    let error = shell("echo the disk is full >&2; exit 3");
    assert!(matches!(&error, StartError::Ended { status, .. }
        if status.code() == Some(3)));
    assert!(error.to_string().contains("the disk is full"), "{error}");
}

#[test]
fn an_unexpected_first_line_is_reported() {
    let error = shell("echo worse >&2; echo hello; exec sleep 1000");
    assert!(error.to_string().ends_with("\"hello\"\nworse\n"), "{error}");
}

#[test]
fn a_dropped_server_is_gone() {
    let script = "echo x listening on http://127.0.0.1:1; exec sleep 1000";
    let mut command = Command::new("sh");
    let server = Server::start(command.args(["-c", script])).unwrap();
    let id = Pid::from_raw(server.id().cast_signed()).unwrap();
    drop(server);
    assert_eq!(test_kill_process(id), Err(Errno::SRCH));
}
