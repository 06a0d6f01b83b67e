//! What every step must do with code that they all share: tested with one step
//! that has everything.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
};

use harness::{Server, StartError, command};

const PROGRAM: &str = env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME")));

#[test]
fn a_flag_overrides_its_variable_and_other_variables_are_ignored() {
    let mut command = command(PROGRAM);
    command.env("ITERATIONS", "5").args(["--iterations", "7"]);
    // Some systems export the first, and the second is another step's.
    command.env("HOST", "0.0.0.0").env("NATS_URL", "nonsense");
    let server = Server::start(&mut command).unwrap();
    assert!(server.url().starts_with("http://127.0.0.1:"), "{}", server.url());
    assert_eq!(server.get("/blocking").body(), "Result is 7");
}

#[test]
fn an_ipv6_address_has_brackets_or_none() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return; // This machine has no IPv6.
    }
    let server = Server::start(command(PROGRAM).args(["--host", "::1"]));
    let server = server.unwrap();
    assert!(server.url().starts_with("http://[::1]:"), "{}", server.url());
    assert_eq!(server.get("/non-blocking").status(), 200);

    let (_, port) = server.url().rsplit_once(':').unwrap();
    let mut command = command(PROGRAM);
    command.args(["--host", "[::1]"]).env("PORT", port);
    let error = Server::start(&mut command).unwrap_err().to_string();
    let named = format!("can't listen on [::1]:{port}: ");
    assert!(error.contains(&named), "{error}");
}

/// Full, and closed.
#[cfg(target_os = "linux")]
#[test]
fn a_standard_error_that_cannot_be_written_costs_no_response() {
    for redirection in ["2>/dev/full", "2>&-"] {
        let mut command = command("sh");
        command.args(["-c", &format!("exec \"$0\" {redirection}"), PROGRAM]);
        let server = command.env("ITERATIONS", "200_000_000");
        let server = Server::start(server).unwrap();
        assert_eq!(server.get("/failing").status(), 500);
        let running = server.send("/blocking");
        server.interrupt();
        let answer = running.wait();
        assert!(answer.ends_with("Result is 200000000"), "{answer:?}");
        assert_eq!(server.wait().status.code(), Some(0), "{redirection}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn it_never_claims_to_listen_before_its_threads_have_what_they_need() {
    // From too few open files for a server to just enough.
    for files in [10, 13, 16, 19, 22, 28] {
        let mut command = command("sh");
        let script = format!("ulimit -n {files}; exec \"$0\"");
        command.args(["-c", &script, PROGRAM]);
        match Server::start(&mut command) {
            Ok(server) => {
                assert!(files > 16, "{files} can't be enough");
                server.terminate();
                let ended = server.wait();
                assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
            }
            // With its own message, or with a panic from tokio or actix.
            Err(StartError::Ended { status, stderr, .. }) => {
                assert_ne!(status.code(), Some(0), "{files}: {stderr}");
                assert!(stderr.contains("open files"), "{files}: {stderr}");
            }
            Err(error) => panic!("{files}: {error}"),
        }
    }
}

#[test]
fn a_bad_setting_is_named_and_ends_it_with_status_2() {
    let started = Server::start(command(PROGRAM).env("QUEUE", "0"));
    let Err(StartError::Ended { status, stderr, .. }) = started else {
        panic!("{started:?}");
    };
    assert_eq!(status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("'0' for '--queue"), "{stderr}");
}

#[test]
fn a_malformed_request_gets_4xx_or_silence_and_harms_nobody() {
    let mut command = command(PROGRAM);
    let server = Server::start(command.env("ITERATIONS", "1000")).unwrap();
    let address = server.url().trim_start_matches("http://");
    for request in [
        "HELLO\r\n\r\n",
        "GET /blocking\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01",
        "GET /blocking HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        &format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(200_000)),
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        // It may be refused before all of it is sent.
        stream.write_all(request.as_bytes()).ok();
        stream.shutdown(Shutdown::Write).ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        let answer = String::from_utf8_lossy(&answer);
        let refused = answer.starts_with("HTTP/1.1 4") || answer.is_empty();
        assert!(refused, "{request:.60}: {answer}");
    }
    assert_eq!(server.get("/blocking").body(), "Result is 1000");
    assert_eq!(server.kill().stderr, "");
}
