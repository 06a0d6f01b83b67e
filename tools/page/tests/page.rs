//! The page at `/`, in a real browser: the same file in every step.
//!
//! Pictures of what the browser shows are written to `target/page`.

use std::{collections::BTreeSet, path::Path};

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

/// Keeps every text of an element from now on.
fn note(browser: &mut Browser, id: &str) {
    browser.evaluate(&format!(
        "noted = [];
        new MutationObserver(() => noted.push(
            document.getElementById('{id}').textContent
        )).observe(document.getElementById('{id}'), {{ childList: true }})"
    ));
}

fn noted(browser: &mut Browser) -> Vec<String> {
    serde_json::from_value(browser.evaluate("noted")).unwrap()
}

/// More tabs of the same page in the same browser.
fn more_tabs(first: &Browser, server: &Server, count: usize) -> Vec<Browser> {
    let mut tabs = (0..count).map(|_| first.tab()).collect::<Vec<_>>();
    for tab in &mut tabs {
        tab.look(1280, 800, "light");
        tab.open(server.url());
        wait_for_answers(tab, 3);
        note(tab, "announcement");
    }
    tabs
}

/// The seconds in a text such as "after 3.0 s".
fn seconds(text: &str) -> f64 {
    let mut words = text.split(' ').rev();
    assert_eq!(words.next(), Some("s"), "{text}");
    words.next().unwrap().parse().expect(text)
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
    note(&mut browser, "announcement");
    // By keyboard: the button is the first that can be reached.
    browser.press("Tab");
    browser.press("Enter");
    let (seen, announced) = if freezes() {
        ("Frozen for ", "Frozen: the only server thread is counting.")
    } else {
        (
            "Waiting for /blocking: ",
            "Waiting for /blocking; the heartbeat is answered.",
        )
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
    let changes = noted(&mut browser);
    assert!(changes.iter().any(|it| it == announced), "{changes:?}");
    let changes = changes.into_iter().collect::<BTreeSet<_>>();
    assert!(changes.len() <= 8, "not each tenth of a second: {changes:?}");
    assert_eq!(browser.console_errors(), [""; 0]);
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

    assert_eq!(browser.console_errors(), [""; 0]);
    assert_eq!(server.stderr_so_far(), "", "/failing isn't called to see");

    if has_pool {
        let pool = server.get("/pool");
        let pool: serde_json::Value =
            serde_json::from_str(pool.body()).unwrap();
        browser.wait_for(&format!(
            "document.querySelectorAll('#slots span').length == {}",
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
    assert_eq!(browser.console_errors(), [""; 0]);
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
        "document.querySelectorAll('#slots .taken').length == 2 && \
         document.getElementById('refused').textContent == '✕ 1 refused' && \
         document.getElementById('queued').textContent.startsWith('Jobs in the queue: 2;')",
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

#[test]
fn requests_that_use_up_the_browsers_connections_are_no_freeze() {
    if !is_one_of(&[1, 7]) {
        return;
    }
    let server = counting_to("1000");
    let Some(mut first) = page(&server) else {
        return;
    };
    note(&mut first, "announcement");
    let mut tabs = more_tabs(&first, &server, 2);
    tabs.insert(0, first);
    // A browser opens six connections to a host: three of the nine wait for one.
    for tab in &mut tabs {
        for _ in 0..3 {
            send(tab, "/waiting");
        }
    }
    for tab in &mut tabs {
        wait_for_answers(tab, 5);
        assert_ne!(in_flight(tab), 0, "the heartbeat waited for a connection");
    }
    let mut held = Vec::new();
    for tab in &mut tabs {
        wait_for_results(tab, 3);
        wait_for_answers(tab, 2);
        for row in 1..=3 {
            let row = format!("#log li:nth-child({row})");
            let time = seconds(&text(tab, &format!("{row} .time")));
            let is_held =
                format!("document.querySelector('{row} .held') !== null");
            held.push((tab.evaluate(&is_held) == true, time));
        }
        let said = noted(tab);
        assert!(!said.iter().any(|text| text.contains("rozen")), "{said:?}");
        assert!(text(tab, "#state").starts_with("Done after "));
    }
    picture(tabs.last_mut().unwrap(), "held");
    assert!(held.iter().any(|(is_held, _)| *is_held), "{held:?}");
    let longest = held.iter().map(|(_, time)| *time).fold(0.0, f64::max);
    let shortest = held.iter().map(|(_, time)| *time).fold(60.0, f64::min);
    assert!(
        longest < 1.7 * shortest,
        "the browser's delay counts as the server's: {held:?}"
    );
}

#[test]
fn in_the_last_of_seven_tabs_a_request_gets_its_connection_and_its_bar() {
    if !is_one_of(&[7]) {
        return;
    }
    let server = counting_to("1_000_000_000_000");
    let Some(mut first) = page(&server) else {
        return;
    };
    let mut tabs = more_tabs(&first, &server, 6);
    for tab in &mut tabs {
        wait_for_answers(tab, 2);
        let said = noted(tab);
        assert!(!said.iter().any(|text| text.contains("rozen")), "{said:?}");
    }
    let last = tabs.last_mut().unwrap();
    send(last, "/blocking");
    let bar = "document.querySelector('#log progress').value";
    last.wait_for(&format!("{bar} > 0"));
    // The first tab follows the progress for all: another one takes over.
    first.open("about:blank");
    for _ in 0..3 {
        let before = last.evaluate(bar);
        last.wait_for(&format!("{bar} > {before}"));
    }
    last.evaluate("document.querySelector('#log button').click()");
    wait_for_results(last, 1);
    assert_eq!(text(last, "#log .answer"), "Cancelled.");
}

#[test]
fn a_tab_that_sent_nothing_claims_no_more_than_that_nothing_comes() {
    if !freezes() {
        return;
    }
    let server = counting_to("5_000_000_000");
    let Some(mut busy) = page(&server) else {
        return;
    };
    let mut idle = more_tabs(&busy, &server, 1).remove(0);
    send(&mut busy, "/blocking");
    let state = "document.getElementById('state').textContent";
    busy.wait_for(&format!("{state}.startsWith('Frozen for ')"));
    idle.wait_for(&format!("{state}.startsWith('No response for ')"));
    picture(&mut idle, "frozen-for-others");
    wait_for_results(&mut busy, 1);
    busy.wait_for(&format!("{state}.startsWith('It was frozen for ')"));
    wait_for_answers(&mut idle, 3);
    let said = noted(&mut idle);
    assert!(!said.iter().any(|text| text.contains("rozen")), "{said:?}");
    let expected = "No response: the only server thread may be counting.";
    assert!(said.iter().any(|text| text == expected), "{said:?}");
}

#[test]
fn a_pause_of_the_page_itself_is_no_freeze() {
    if !freezes() {
        return;
    }
    let server = counting_to("1000");
    let Some(mut browser) = page(&server) else {
        return;
    };
    note(&mut browser, "state");
    // As in a hidden tab that isn't woken, or on a machine that sleeps.
    browser.evaluate(
        "original = fetch;
        paused = false;
        fetch = (url, options) => {
            const response = original(url, options);
            if (url.startsWith('/non-blocking')) {
                fetch = original;
                const start = performance.now();
                while (performance.now() < start + 2000);
                paused = true;
            }
            return response;
        }",
    );
    browser.wait_for("paused");
    wait_for_answers(&mut browser, 3);
    let longest = noted(&mut browser)
        .iter()
        .filter_map(|state| state.strip_prefix("No response for "))
        .map(|claim| seconds(claim.split_once(':').expect(claim).0))
        .fold(0.0, f64::max);
    assert!(longest < 1.9, "{longest} s");
    let worst = text(&mut browser, "#worst");
    assert!(!worst.ends_with(" s") || seconds(&worst) < 1.9, "{worst}");
}

#[test]
fn a_server_that_replaces_another_at_once_is_shown_as_what_it_is() {
    if !is_one_of(&[1, 7]) {
        return;
    }
    let server = counting_to("1000");
    let Some(mut browser) = page(&server) else {
        return;
    };
    let (_, port) = server.url().rsplit_once(':').unwrap();
    let mut again = harness::command(PROGRAM);
    again.env("PORT", port).env("ITERATIONS", "2_000");
    server.kill();
    let _server = Server::start(&mut again).unwrap();
    browser.wait_for(
        "document.getElementById('settings').textContent
            .startsWith('/blocking counts to 2,000 with ')",
    );
}

#[test]
fn cancel_promises_nothing_that_step_6_does_not_do() {
    if !is_one_of(&[6]) {
        return;
    }
    let server = counting_to("20_000_000_000");
    let Some(mut browser) = page(&server) else {
        return;
    };
    send(&mut browser, "/blocking");
    browser.wait_for("document.querySelector('#log progress')?.value > 0");
    browser.evaluate("document.querySelector('#log button').click()");
    wait_for_results(&mut browser, 1);
    assert_eq!(text(&mut browser, "#log .answer"), "Cancelled.");
    let running = server.get("/pool");
    assert!(running.body().contains("\"admitted\":1"), "{}", running.body());
}

#[test]
fn each_of_five_files_is_summarised_and_a_folder_is_called_one() {
    let server = counting_to("1000");
    if !has_upload(&server) {
        return;
    }
    let Some(mut browser) = page(&server) else {
        return;
    };
    browser.evaluate(
        "files = new DataTransfer();
        for (const letter of 'abcde') {
            files.items.add(new File([`${letter};1.0`], `${letter}.txt`));
        }
        dispatchEvent(new DragEvent('drop', { dataTransfer: files }))",
    );
    let waits = text(&mut browser, "#in-flight");
    assert_eq!(waits, "3 of 3 in flight, 2 files queued");
    wait_for_results(&mut browser, 5);
    let rows = "[...document.querySelectorAll('#log .request')]
        .map((it) => it.textContent).reverse().join(', ')";
    assert_eq!(
        browser.evaluate(rows),
        "1. /summary of a.txt, 2. /summary of b.txt, 3. /summary of c.txt, \
         4. /summary of d.txt, 5. /summary of e.txt"
    );
    let done = "document.querySelectorAll('#log .done').length";
    assert_eq!(browser.evaluate(done), 5);
    assert_eq!(text(&mut browser, "#in-flight"), "");
    let name = text(&mut browser, "#summary tbody td");
    let caption = text(&mut browser, "#summary caption");
    assert_eq!(caption, format!("{name}.txt"), "whose table is it?");

    browser.drop_file(Path::new(env!("CARGO_TARGET_TMPDIR")));
    wait_for_results(&mut browser, 6);
    assert_eq!(
        text(&mut browser, "#log .failed .answer"),
        "It can't be read. Is it a folder?"
    );
    wait_for_answers(&mut browser, 3);
    let state = text(&mut browser, "#state");
    assert!(state.ends_with("The server still answers."), "{state}");
    picture(&mut browser, "files");
}
