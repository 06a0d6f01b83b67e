//! The progress bar of the page and its Cancel button, in a real browser.
//!
//! Pictures of what the browser shows are written to `target/page`.

use std::path::Path;

use harness::{Browser, Server, events};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_step7-cancellation");

/// The page of a server that counts to so many.
fn page(iterations: u64) -> Option<(Server, Browser)> {
    let mut browser = Browser::start()?;
    let mut command = harness::command(PROGRAM);
    command.env("ITERATIONS", iterations.to_string()).env("THREADS", "2");
    let server = Server::start(&mut command).unwrap();
    browser.look(1280, 800, "light");
    browser.open(server.url());
    browser.wait_for(
        "Number(document.getElementById('answers').textContent) >= 3",
    );
    Some((server, browser))
}

fn send_blocking(browser: &mut Browser) {
    browser.evaluate("document.querySelector('#buttons button').click()");
}

fn picture(browser: &mut Browser, name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    browser.screenshot(root.join(format!("target/page/step7-{name}.png")));
}

#[test]
fn the_bar_moves_and_goes_when_the_answer_comes() {
    let Some((_server, mut browser)) = page(5_000_000_000) else {
        return;
    };
    send_blocking(&mut browser);
    let bar = "document.querySelector('#log progress')";
    browser.wait_for(&format!("{bar}.value > 0"));
    let first = browser.evaluate(&format!("{bar}.value")).as_f64().unwrap();
    browser.wait_for(&format!("{bar} === null || {bar}.value > {first}"));
    assert_eq!(browser.evaluate(&format!("{bar} !== null")), true, "it moves");
    let left = "document.querySelector('#log .left').textContent";
    let left = browser.evaluate(left);
    assert!(left.as_str().unwrap().ends_with(" left"), "{left}");
    for (width, scheme) in [(1280, "light"), (400, "dark")] {
        browser.look(width, 1100, scheme);
        picture(&mut browser, &format!("bar-{width}-{scheme}"));
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.evaluate(fits), true, "{width} pixels");
    }
    browser.wait_for("document.querySelector('#log li.done') !== null");
    assert_eq!(browser.evaluate(&format!("{bar} === null")), true);
    assert!(browser.console_errors().is_empty());
}

#[test]
fn cancel_stops_the_work_on_the_server_and_only_that() {
    let Some((server, mut browser)) = page(u64::MAX) else {
        return;
    };
    let wait_for = |wanted: &dyn Fn(&Value) -> bool| {
        let mut events = events(server.open("/progress"));
        events.find(wanted).expect("the stream goes on");
    };
    let running = |it: &Value| it["running"].as_array().map(Vec::len);
    send_blocking(&mut browser);
    send_blocking(&mut browser);
    browser.wait_for("document.querySelectorAll('#log progress').length == 2");
    wait_for(&|it| running(it) == Some(2));
    let cancel = "document.querySelector('#log li:last-child button')";
    browser.evaluate(&format!("{cancel}.focus(), {cancel}.click()"));
    browser.wait_for("document.querySelectorAll('#log .failed').length == 1");
    wait_for(&|it| it["cancelled"] == 1 && running(it) == Some(1));
    let answer = "document.querySelector('#log .failed .answer').textContent";
    let answer = browser.evaluate(answer);
    assert_eq!(answer, "Cancelled: the server stops the work.");
    let focus = browser.evaluate("document.activeElement.dataset.path");
    assert_eq!(focus, "/blocking", "the keyboard is lost");
    // The other one was queued behind it, and now has the threads.
    browser.wait_for("document.querySelector('#log progress').value > 0");
    picture(&mut browser, "cancelled");
    browser.evaluate("document.querySelector('#log button').click()");
    wait_for(&|it| it["cancelled"] == 2 && running(it) == Some(0));
    assert!(browser.console_errors().is_empty());
}
