//! The page at `/`, in a real browser: the same file in every step.
//!
//! Pictures of what the browser shows are written to `target/page`.

use std::path::Path;

use harness::{Browser, Server};

const STEP: &str = env!("CARGO_PKG_NAME");
const PROGRAM: &str = env!(concat!("CARGO_BIN_EXE_", env!("CARGO_PKG_NAME")));

/// Step 1 freezes while it counts; no other step does.
fn freezes() -> bool {
    STEP.starts_with("step1-")
}

/// Whether this is one of the steps between which it differs what the page does;
/// the page itself is the same in all of them.
fn is_one_of(steps: &[u32]) -> bool {
    let number = STEP[4..].split('-').next().unwrap();
    steps.contains(&number.parse().unwrap())
}

/// Whether the step has a route; it isn't called for that.
fn has(server: &Server, path: &str) -> bool {
    server.request("POST", path, "*/*").status() == 405
}

/// Whether the step takes files, which can't be seen as above.
fn has_upload(server: &Server) -> bool {
    server.request("GET", "/summary", "*/*").status() == 405
}

/// The step, counting to so many; with two threads where it has a choice, on
/// every machine.
fn counting_to(iterations: &str) -> Server {
    let mut command = harness::command(PROGRAM);
    command.env("ITERATIONS", iterations).env("THREADS", "2");
    Server::start(&mut command).unwrap()
}

/// The page of a step in a browser, with a heartbeat that is answered.
fn page(server: &Server) -> Option<Browser> {
    let mut browser = Browser::start()?;
    browser.look(1280, 800, "light");
    browser.open(server.url());
    wait_for_answers(&mut browser, 3);
    Some(browser)
}

fn wait_for_answers(browser: &mut Browser, more: u64) {
    let enough = answers(browser) + more;
    browser.wait_for(&format!(
        "Number(document.getElementById('answers').textContent) >= {enough}"
    ));
}

/// How many heartbeats were answered.
fn answers(browser: &mut Browser) -> u64 {
    text(browser, "#answers").parse().unwrap()
}

fn text(browser: &mut Browser, selector: &str) -> String {
    let text = format!("document.querySelector('{selector}').textContent");
    browser.evaluate(&text).as_str().unwrap().to_owned()
}

fn send(browser: &mut Browser, path: &str) {
    browser.evaluate(&format!(
        "document.querySelector('[data-path=\"{path}\"]').click()"
    ));
}

/// How many of the requests that were sent aren't answered yet.
fn in_flight(browser: &mut Browser) -> u64 {
    let rows = "document.querySelectorAll('#log li:not([class])').length";
    browser.evaluate(rows).as_u64().unwrap()
}

/// Waits until so many of the requests that were sent are answered.
fn wait_for_results(browser: &mut Browser, count: usize) {
    browser.wait_for(&format!(
        "document.querySelectorAll('#log .time').length == {count}"
    ));
}

fn picture(browser: &mut Browser, name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    browser.screenshot(root.join(format!("target/page/{STEP}-{name}.png")));
}

#[test]
fn the_heartbeat_stops_while_step_1_counts_and_goes_on_in_the_others() {
    let server = counting_to("5_000_000_000");
    let Some(mut browser) = page(&server) else {
        return;
    };
    browser.evaluate(
        "announced = [];
        new MutationObserver(() => announced.push(
            document.getElementById('announcement').textContent
        )).observe(document.getElementById('announcement'), {
            childList: true
        })",
    );
    // By keyboard: the button is the first that can be reached.
    browser.press("Tab");
    browser.press("Enter");
    let (seen, announced) = if freezes() {
        ("Frozen for ", "Frozen: the only server thread is counting.")
    } else {
        ("Counting for ", "Counting, and the heartbeat is answered meanwhile.")
    };
    let state = "document.getElementById('state').textContent";
    browser.wait_for(&format!("{state}.startsWith('{seen}')"));
    let before = answers(&mut browser);
    for (width, scheme) in
        [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")]
    {
        browser.look(width, 800, scheme);
        picture(&mut browser, &format!("counting-{width}-{scheme}"));
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.evaluate(fits), true, "{width} pixels");
    }
    if freezes() && in_flight(&mut browser) == 1 {
        let after = answers(&mut browser);
        assert_eq!(before, after, "a frozen server has answered");
    }
    wait_for_results(&mut browser, 1);
    assert_eq!(text(&mut browser, "#log .answer"), "Result is 5000000000");
    let timing = text(&mut browser, "#log .server");
    assert!(timing.starts_with("Server-Timing: count "), "{timing}");

    wait_for_answers(&mut browser, 3);
    picture(&mut browser, "answered");
    let state = text(&mut browser, "#state");
    if freezes() {
        assert!(state.starts_with("It was frozen for "), "{state}");
    } else {
        // Done after 1.5 s: 15 heartbeats answered meanwhile.
        let (_, count) = state.split_once(": ").expect(&state);
        let count = count.split(' ').next().unwrap().parse::<u64>();
        assert!(count.expect(&state) >= 3, "{state}");
    }

    let focus = browser.evaluate("document.activeElement.dataset.path");
    assert_eq!(focus, "/blocking", "the button has lost the focus");
    let changes = browser.evaluate("announced");
    let changes = changes.as_array().unwrap();
    assert!(changes.iter().any(|it| it == announced), "{changes:?}");
    assert!(changes.len() <= 8, "not each tenth of a second: {changes:?}");
    assert!(browser.console_errors().is_empty());
}

#[test]
fn what_only_some_steps_have_is_shown_where_it_is() {
    let server = counting_to("1000");
    let Some(mut browser) = page(&server) else {
        return;
    };
    let has_failing = has(&server, "/failing");
    let has_pool = has(&server, "/pool");
    assert_eq!(has_failing, !freezes());
    let visible = "document.querySelector('[data-path=\"/failing\"]') \
                   .checkVisibility()";
    assert_eq!(browser.evaluate(visible), has_failing);
    let visible = "document.getElementById('pool').checkVisibility()";
    assert_eq!(browser.evaluate(visible), has_pool);

    assert!(browser.console_errors().is_empty());
    assert_eq!(server.stderr_so_far(), "", "/failing isn't called to see");

    if has_pool {
        let pool = server.get("/pool");
        let pool: serde_json::Value =
            serde_json::from_str(pool.body()).unwrap();
        browser.wait_for(&format!(
            "document.querySelectorAll('#places span').length == {}",
            pool["slots"]
        ));
        assert!(text(&mut browser, "#admitted").starts_with("0 of 8 "));
    }
    if has_failing {
        send(&mut browser, "/failing");
        wait_for_results(&mut browser, 1);
        assert_eq!(
            text(&mut browser, "#log .failed .answer"),
            "500 Internal Server Error: The worker failed; \
             the server is still running."
        );
        wait_for_answers(&mut browser, 3);
        let state = text(&mut browser, "#state");
        assert!(state.ends_with("The server still answers."), "{state}");
        picture(&mut browser, "failed");
        let errors = browser.console_errors();
        assert_eq!(errors.len(), 1, "only the 500: {errors:?}");
        assert!(errors[0].contains("/failing"), "{errors:?}");
    }
}

#[test]
fn with_three_requests_in_flight_the_heartbeat_still_has_a_connection() {
    if !is_one_of(&[1, 2]) {
        return;
    }
    // Where they queue, shorter: three of them take three times as long.
    let iterations = if freezes() { "1000000000" } else { "4000000000" };
    let server = counting_to(iterations);
    let Some(mut browser) = page(&server) else {
        return;
    };
    for _ in 0..5 {
        send(&mut browser, "/blocking");
    }
    assert_eq!(in_flight(&mut browser), 3);
    let refuses = "document.querySelector('button').ariaDisabled == 'true'";
    assert_eq!(browser.evaluate(refuses), true);
    if !freezes() {
        wait_for_answers(&mut browser, 2);
        assert_ne!(in_flight(&mut browser), 0, "the heartbeat waited");
    }
    wait_for_results(&mut browser, 3);
    assert_eq!(browser.evaluate(refuses), false);
    for row in 1..=3 {
        let answer = format!("#log li:nth-child({row}) .answer");
        let result = format!("Result is {iterations}");
        assert_eq!(text(&mut browser, &answer), result);
    }
    assert!(browser.console_errors().is_empty());
}

#[test]
fn a_full_house_is_seen_at_one_glance() {
    let mut command = harness::command(PROGRAM);
    command.env("ITERATIONS", "20_000_000_000").env("THREADS", "2");
    let server = Server::start(command.env("QUEUE", "2")).unwrap();
    if !is_one_of(&[5, 6, 7]) {
        return;
    }
    let Some(mut browser) = page(&server) else {
        return;
    };
    browser.look(1280, 720, "light");
    for _ in 0..3 {
        send(&mut browser, "/blocking");
    }
    wait_for_results(&mut browser, 1);
    let answer = text(&mut browser, "#log .failed .answer");
    assert!(
        answer.starts_with("503 Service Unavailable: The server is busy"),
        "{answer}"
    );
    browser.wait_for(
        "document.querySelectorAll('#places .taken').length == 2 && \
         document.getElementById('refused').textContent == '✕ 1 refused' && \
         document.getElementById('queued').textContent.startsWith('2 jobs')",
    );
    // All of it without scrolling, the request that runs included.
    for part in ["#pool", "#axis", "#state", "#log li:first-child"] {
        let bottom = format!(
            "document.querySelector('{part}').getBoundingClientRect().bottom"
        );
        let bottom = browser.evaluate(&bottom).as_f64().unwrap();
        assert!(bottom <= 720.0, "{part} ends at {bottom}");
    }
    if has(&server, "/progress") {
        browser.wait_for("document.querySelector('#log progress').value > 0");
    }
    picture(&mut browser, "full-house");
    browser.look(1280, 720, "dark");
    picture(&mut browser, "full-house-dark");
}

#[test]
fn a_file_that_is_chosen_is_summarised_in_a_table() {
    let server = counting_to("1000");
    if !has_upload(&server) {
        return;
    }
    let Some(mut browser) = page(&server) else {
        return;
    };
    let choose = |text: &str| {
        format!(
            "files = new DataTransfer();
            files.items.add(new File(['{text}'], 'measurements.txt'));
            file = document.getElementById('file');
            file.files = files.files;
            file.dispatchEvent(new Event('change'))"
        )
    };
    browser.evaluate(&choose("Oslo;-3.4\\nAbha;59.2\\n<b>;-23.0"));
    wait_for_results(&mut browser, 1);
    assert_eq!(text(&mut browser, "#log .answer"), "3 rows, 3 names");
    assert_eq!(
        text(&mut browser, "#summary tbody"),
        "<b>-23.0-23.0-23.01Abha59.259.259.21Oslo-3.4-3.4-3.41"
    );
    picture(&mut browser, "summary");

    browser.evaluate(&choose("Oslo;cold"));
    wait_for_results(&mut browser, 2);
    let answer = text(&mut browser, "#log .failed .answer");
    assert!(answer.contains("Line 1: expected NAME;VALUE"), "{answer}");
}

#[test]
fn while_one_waits_the_heartbeat_goes_on_even_in_step_1() {
    if !is_one_of(&[1, 7]) {
        return;
    }
    let server = counting_to("1000");
    let Some(mut browser) = page(&server) else {
        return;
    };
    send(&mut browser, "/waiting");
    wait_for_answers(&mut browser, 5);
    assert_eq!(in_flight(&mut browser), 1, "it still waits");
    wait_for_results(&mut browser, 1);
    browser.wait_for(
        "document.getElementById('state').textContent.startsWith('Done after ')"
    );
}

#[test]
fn the_page_goes_on_when_the_server_is_stopped_and_started_again() {
    if !is_one_of(&[1, 6, 7]) {
        return;
    }
    let server = counting_to("1000");
    let Some(mut browser) = page(&server) else {
        return;
    };
    let (_, port) = server.url().rsplit_once(':').unwrap();
    let mut again = harness::command(PROGRAM);
    again.env("PORT", port).env("ITERATIONS", "2_000");
    #[cfg(unix)]
    {
        server.terminate();
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0), "an open page holds it up");
    }
    #[cfg(not(unix))]
    server.kill();
    browser.wait_for(
        "document.getElementById('state').className == 'unreachable'",
    );
    picture(&mut browser, "no-server");

    let _server = Server::start(&mut again).unwrap();
    wait_for_answers(&mut browser, 3);
    let settings = text(&mut browser, "#settings");
    assert!(
        settings.starts_with("/blocking counts to 2,000 with "),
        "{settings}"
    );
    send(&mut browser, "/blocking");
    wait_for_results(&mut browser, 1);
    assert_eq!(text(&mut browser, "#log .answer"), "Result is 2000");
}
