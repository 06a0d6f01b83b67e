//! The page at `/`, in a real browser, each test with the step it is about: the
//! page is the same in all of them.

use std::{collections::BTreeSet, path::Path};

use harness::{Browser, Server, events};
use serde_json::{Value, json};

/// Every state the page shows, without the numbers that change all the time.
const ANNOUNCEMENT: &str = "announcement";

/// A step that counts this far, with one thread: on any machine the browser has
/// the others.
fn start(step: &str, iterations: &str) -> Server {
    start_with(step, &[("ITERATIONS", iterations)])
}

fn start_with(step: &str, settings: &[(&str, &str)]) -> Server {
    let program = harness::program(step, None);
    let program = program.unwrap_or_else(|error| panic!("{error}"));
    let mut command = harness::command(program);
    command.env("THREADS", "1").envs(settings.iter().copied());
    Server::start(&mut command).unwrap()
}

/// The page of a server in a browser, with a heartbeat that is answered.
fn page(server: &Server) -> Option<Browser> {
    let mut browser = Browser::start()?;
    open(&mut browser, server);
    Some(browser)
}

fn open(browser: &mut Browser, server: &Server) {
    browser.look(1280, 800, "light");
    // Drawing costs more than everything else here.
    browser.little_motion();
    browser.open(server.url());
    wait_for_answers(browser, 3);
}

/// More tabs of the same page in the same browser.
fn more_tabs(first: &Browser, server: &Server, count: usize) -> Vec<Browser> {
    let mut tabs = (0..count).map(|_| first.tab()).collect::<Vec<_>>();
    for tab in &mut tabs {
        tab.before_scripts(
            "opened = 0;
            EventSource = class extends EventSource {
                constructor(url) {
                    super(url);
                    opened += 1;
                }
            };",
        );
        open(tab, server);
        note(tab, "state");
    }
    tabs
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

/// Waits until an element's text contains this.
fn wait_for_text(browser: &mut Browser, id: &str, part: &str) {
    browser.wait_for(&format!(
        "document.getElementById('{id}').textContent
            .includes('{part}')"
    ));
}

fn is_visible(browser: &mut Browser, selector: &str) -> bool {
    let visible =
        format!("document.querySelector('{selector}').checkVisibility()");
    browser.evaluate(&visible) == true
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

fn noted(browser: &mut Browser) -> BTreeSet<String> {
    serde_json::from_value(browser.evaluate("noted")).unwrap()
}

/// For how long, according to the noted states, there was no response. They must
/// never claim that the server was frozen.
fn longest_claim(browser: &mut Browser) -> f64 {
    let states = noted(browser);
    let frozen = states.iter().any(|state| state.contains("rozen"));
    assert!(!frozen, "{states:?}");
    states
        .iter()
        .filter_map(|state| state.strip_prefix("No response for "))
        .map(|claim| seconds(claim.split_once(':').expect(claim).0))
        .fold(0.0, f64::max)
}

fn send(browser: &mut Browser, path: &str) {
    browser.evaluate(&format!(
        "document.querySelector('[data-path=\"{path}\"]').click()"
    ));
}

/// How many requests have no result yet.
fn in_flight(browser: &mut Browser) -> u64 {
    let rows = "document.querySelectorAll('#log li:not([class])').length";
    browser.evaluate(rows).as_u64().unwrap()
}

/// Waits until this many requests have a result.
fn wait_for_results(browser: &mut Browser, count: usize) {
    browser.wait_for(&format!(
        "document.querySelectorAll('#log .time').length == {count}"
    ));
}

/// The seconds at the end of a text such as "after 3.0 s" or "after 300 ms".
fn seconds(text: &str) -> f64 {
    let mut words = text.rsplit(' ');
    let unit = if words.next() == Some("ms") { 1000.0 } else { 1.0 };
    words.next().unwrap().parse::<f64>().expect(text) / unit
}

/// The 29 of "Done after 3.0 s: 29 heartbeats answered."
fn heartbeats_answered(browser: &mut Browser) -> u64 {
    wait_for_text(browser, "state", "Done after ");
    let state = text(browser, "#state");
    let (_, count) = state.split_once(": ").expect(&state);
    count.split(' ').next().unwrap().parse().expect(&state)
}

/// Wide and narrow: what is seen fits.
fn assert_fits(browser: &mut Browser) {
    for width in [400, 1280] {
        browser.look(width, 800, "light");
        let fits = "document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(browser.evaluate(fits), true, "{width} pixels");
    }
}

fn assert_quiet(browser: &mut Browser) {
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn step_1_freezes_while_it_counts_and_each_tab_says_what_it_knows() {
    let server = start("step1-blocking", "2_000_000_000");
    let Some(mut browser) = page(&server) else { return };
    let mut idle = more_tabs(&browser, &server, 1).remove(0);
    assert!(!is_visible(&mut browser, "#pool"));
    assert!(!is_visible(&mut browser, "[data-path=\"/failing\"]"));
    note(&mut browser, ANNOUNCEMENT);
    // By keyboard: the button is the first that can be reached.
    browser.press("Tab");
    browser.press("Enter");
    wait_for_text(&mut browser, "state", "Frozen for ");
    wait_for_results(&mut browser, 1);
    assert_eq!(text(&mut browser, "#log .answer"), "Result is 2000000000");
    let timing = text(&mut browser, "#log .server");
    assert!(timing.starts_with("Server-Timing: count "), "{timing}");
    wait_for_text(&mut browser, "state", "It was frozen for ");
    assert_fits(&mut browser);

    let focus = browser.evaluate("document.activeElement.dataset.path");
    assert_eq!(focus, "/blocking", "the button has lost the focus");
    let said = noted(&mut browser);
    let expected = "Frozen: the only server thread is counting.";
    assert!(said.contains(expected), "{said:?}");
    assert!(said.len() <= 8, "not each tenth of a second: {said:?}");

    // A tab that sent nothing claims only that nothing comes.
    wait_for_answers(&mut idle, 3);
    assert!(longest_claim(&mut idle) > 0.0);
    let expected = ": the only server thread may be counting.";
    let said = noted(&mut idle);
    assert!(said.iter().any(|state| state.ends_with(expected)), "{said:?}");
    assert_quiet(&mut browser);
}

#[test]
fn step_2_answers_the_heartbeat_while_a_worker_counts() {
    let server = start("step2-single-worker", "2_000_000_000");
    let Some(mut browser) = page(&server) else { return };
    note(&mut browser, ANNOUNCEMENT);
    send(&mut browser, "/blocking");
    wait_for_text(&mut browser, "state", "Waiting for /blocking: ");
    assert_fits(&mut browser);
    wait_for_results(&mut browser, 1);
    assert!(heartbeats_answered(&mut browser) >= 3);
    let said = noted(&mut browser);
    let expected = "Waiting for /blocking; the heartbeat is answered.";
    assert!(said.contains(expected), "{said:?}");
    assert!(!said.iter().any(|text| text.contains("rozen")), "{said:?}");
    assert_quiet(&mut browser);
}

#[test]
fn no_more_than_three_requests_are_in_flight_and_a_busy_server_is_there() {
    let server = start("step2-single-worker", "1000");
    let Some(mut browser) = page(&server) else { return };
    let pressed = browser.evaluate(
        "button = document.querySelector('button');
        for (let i = 0; i < 5; i += 1) button.click();
        [
            document.querySelectorAll('#log li').length,
            document.getElementById('in-flight').textContent,
            button.ariaDisabled,
        ]",
    );
    assert_eq!(pressed, json!([3, "3 of 3 in flight", "true"]));
    wait_for_results(&mut browser, 3);
    assert_eq!(browser.evaluate("button.ariaDisabled"), "false");
    for row in 1..=3 {
        let result = format!("#log li:nth-child({row}) .answer");
        assert_eq!(text(&mut browser, &result), "Result is 1000");
    }
    assert_quiet(&mut browser);

    // A server too busy to read a request in time is still there.
    note(&mut browser, "state");
    browser.evaluate(
        "original = fetch;
        late = 0;
        fetch = async (url, options) => {
            const isLate = late < 20 && options.credentials == 'omit';
            if (!isLate) return original(url, options);
            late += 1;
            return new Response('', { status: 408 });
        }",
    );
    browser.wait_for("late == 20");
    wait_for_answers(&mut browser, 3);
    let said = noted(&mut browser);
    assert!(!said.iter().any(|state| state.contains("No step")), "{said:?}");
}

#[test]
fn a_worker_that_fails_is_seen_and_the_server_is_not_harmed() {
    let server = start("step5-back-pressure", "1000");
    let Some(mut browser) = page(&server) else { return };
    assert_eq!(server.stderr_so_far(), "", "/failing isn't called to see");
    wait_for_text(&mut browser, "admitted", "0 of 8 ");
    let slots = "document.querySelectorAll('#slots span').length";
    assert_eq!(browser.evaluate(slots), 8);
    wait_for_text(&mut browser, "hint", "To see a refusal: QUEUE=2");
    send(&mut browser, "/failing");
    wait_for_results(&mut browser, 1);
    assert_eq!(
        text(&mut browser, "#log .failed .answer"),
        "500 Internal Server Error: The worker failed; \
         the server is still running."
    );
    wait_for_text(&mut browser, "state", "The server still answers.");
    let errors = browser.console_errors();
    assert_eq!(errors.len(), 1, "only the 500: {errors:?}");
    assert!(errors[0].contains("/failing"), "{errors:?}");
}

/// In step 5 the page counts what was refused, in step 7 the server does.
#[test]
fn taken_slots_and_refusals_are_seen_at_a_glance() {
    for step in ["step5-back-pressure", "step7-cancellation"] {
        let settings = [("ITERATIONS", "20_000_000_000"), ("QUEUE", "2")];
        let server = start_with(step, &settings);
        let Some(mut browser) = page(&server) else { return };
        browser.look(1280, 720, "light");
        for _ in 0..3 {
            send(&mut browser, "/blocking");
        }
        wait_for_results(&mut browser, 1);
        let answer = text(&mut browser, "#log .failed .answer");
        let expected = "503 Service Unavailable: The server is busy";
        assert!(answer.starts_with(expected), "{answer}");
        browser.wait_for(
            "document.querySelectorAll('#slots .taken').length == 2 && \
             document.getElementById('refused').textContent == '✕ 1 refused' \
             && document.getElementById('queued').textContent
                 .startsWith('Jobs in the queue: 1;')",
        );
        // All of it without scrolling, the request that runs included.
        for part in ["#pool", "#axis", "#state", "#log li:first-child"] {
            let bottom = format!(
                "document.querySelector('{part}')
                    .getBoundingClientRect().bottom"
            );
            let bottom = browser.evaluate(&bottom).as_f64().unwrap();
            assert!(bottom <= 720.0, "{step}: {part} ends at {bottom}");
        }
    }
}

#[test]
fn tabs_share_a_stream_and_used_up_connections_are_no_freeze() {
    let forever = u64::MAX.to_string();
    let server = start("step7-cancellation", &forever);
    let Some(mut first) = page(&server) else { return };
    let mut tabs = more_tabs(&first, &server, 3);
    for tab in &mut tabs {
        wait_for_answers(tab, 2);
        longest_claim(tab);
    }
    let streams = |tabs: &mut [Browser]| {
        let opened = tabs.iter_mut().map(|tab| tab.evaluate("opened > 0"));
        opened.filter(|opened| *opened == true).count()
    };
    assert_eq!(streams(&mut tabs), 0);
    let mut last = tabs.pop().unwrap();
    send(&mut last, "/blocking");
    let bar = "document.querySelector('#log progress').value";
    last.wait_for(&format!("{bar} > 0"));
    // The first tab follows the progress for all: another one takes over.
    first.open("about:blank");
    for _ in 0..3 {
        let before = last.evaluate(bar);
        last.wait_for(&format!("{bar} > {before}"));
    }
    last.evaluate("document.querySelector('#log button').click()");
    wait_for_results(&mut last, 1);
    assert_eq!(text(&mut last, "#log .answer"), "Cancelled.");
    let is_it = last.evaluate("opened > 0") == true;
    assert_eq!(streams(&mut tabs) + usize::from(is_it), 1);

    // Browsers open six connections to a host: all are in use now.
    for tab in &mut tabs {
        for _ in 0..3 {
            send(tab, "/blocking");
        }
    }
    last.evaluate("start = performance.now()");
    send(&mut last, "/waiting");
    for tab in tabs.iter_mut().chain([&mut last]) {
        wait_for_answers(tab, 5);
        longest_claim(tab);
    }
    assert_eq!(in_flight(&mut last), 1, "there was a connection for it");
    for tab in &mut tabs {
        tab.evaluate(
            "document.querySelectorAll('#log button')
                .forEach((button) => button.click())",
        );
    }
    wait_for_results(&mut last, 2);
    let all = last.evaluate("(performance.now() - start) / 1000");
    let time = seconds(&text(&mut last, "#log .time"));
    let held = text(&mut last, "#log .held");
    let held = seconds(held.trim_end_matches(" late"));
    let all = all.as_f64().unwrap();
    assert!(
        time + held < all + 0.2,
        "the browser's delay counts as the server's: {time}, {held} of {all}"
    );
}

#[test]
fn neither_waiting_nor_a_pause_of_the_page_is_a_freeze() {
    let server = start("step1-blocking", "1000");
    let Some(mut browser) = page(&server) else { return };
    note(&mut browser, "state");
    send(&mut browser, "/waiting");
    wait_for_text(&mut browser, "state", " heartbeats answered.");
    // As in a hidden tab that isn't woken, or on a machine that sleeps.
    browser.evaluate(
        "original = fetch;
        paused = false;
        fetch = (url, options) => {
            const response = original(url, options);
            if (url.startsWith('/non-blocking')) {
                fetch = original;
                const start = performance.now();
                while (performance.now() < start + 1000);
                paused = true;
            }
            return response;
        }",
    );
    browser.wait_for("paused");
    wait_for_answers(&mut browser, 3);
    let claim = longest_claim(&mut browser);
    assert!(claim < 0.9, "no response for {claim} s?");
    let worst = text(&mut browser, "#worst");
    assert!(seconds(&worst) < 0.9, "{worst}");
}

#[test]
fn the_page_continues_with_another_step_that_takes_the_port() {
    let server = start("step6-shared-memory", "1000");
    let Some(mut browser) = page(&server) else { return };
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    let settings = [("PORT", &*port), ("ITERATIONS", "2_000")];
    send(&mut browser, "/blocking");
    wait_for_text(&mut browser, "state", "Done after ");
    #[cfg(unix)]
    {
        server.terminate();
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0), "an open page holds it up");
    }
    #[cfg(not(unix))]
    server.kill();
    browser
        .wait_for("document.getElementById('state').className == 'state away'");
    assert!(!is_visible(&mut browser, "#pool"), "there are no slots now");

    let _server = start_with("step5-back-pressure", &settings);
    wait_for_text(&mut browser, "step", "step5-back-pressure");
    // Step 6's result says nothing about this one.
    wait_for_text(&mut browser, "state", "Now send /blocking.");
    let expected = "/blocking counts to 2,000 with 1 thread";
    wait_for_text(&mut browser, "settings", expected);
    browser.wait_for("document.querySelectorAll('#slots span').length == 8");
    send(&mut browser, "/blocking");
    wait_for_results(&mut browser, 2);
    assert_eq!(text(&mut browser, "#log .answer"), "Result is 2000");
}

#[test]
fn cancel_promises_nothing_that_step_6_does_not_do() {
    let server = start("step6-shared-memory", "20_000_000_000");
    let Some(mut browser) = page(&server) else { return };
    send(&mut browser, "/blocking");
    browser.wait_for("document.querySelector('#log progress')?.value > 0");
    browser.evaluate("document.querySelector('#log button').click()");
    wait_for_results(&mut browser, 1);
    assert_eq!(text(&mut browser, "#log .answer"), "Cancelled.");
    let pool = server.get("/pool");
    assert!(pool.body().contains("\"admitted\":1"), "{}", pool.body());
}

#[test]
fn the_bar_moves_and_goes_when_the_response_comes() {
    let server = start("step7-cancellation", "3_000_000_000");
    let Some(mut browser) = page(&server) else { return };
    send(&mut browser, "/blocking");
    let bar = "document.querySelector('#log progress')";
    browser.wait_for(&format!("{bar}.value > 0"));
    let first = browser.evaluate(&format!("{bar}.value")).as_f64().unwrap();
    browser.wait_for(&format!("{bar} === null || {bar}.value > {first}"));
    assert_eq!(browser.evaluate(&format!("{bar} !== null")), true, "it moves");
    let left = text(&mut browser, "#log .left");
    assert!(left.starts_with("about ") && left.ends_with(" left"), "{left}");
    assert_fits(&mut browser);
    browser.wait_for("document.querySelector('#log li.done') !== null");
    assert_eq!(browser.evaluate(&format!("{bar} === null")), true);
    assert_quiet(&mut browser);
}

#[test]
fn cancel_stops_the_work_on_the_server_and_only_that() {
    let server = start("step7-cancellation", &u64::MAX.to_string());
    let Some(mut browser) = page(&server) else { return };
    let wait_for = |wanted: &dyn Fn(&Value) -> bool| {
        let mut events = events(server.open("/progress"));
        events.find(wanted).expect("the stream continues");
    };
    let running = |event: &Value| event["running"].as_array().map(Vec::len);
    send(&mut browser, "/blocking");
    send(&mut browser, "/blocking");
    browser.wait_for("document.querySelectorAll('#log progress').length == 2");
    wait_for(&|event| running(event) == Some(2));
    let cancel = "document.querySelector('#log li:last-child button')";
    browser.evaluate(&format!("{cancel}.focus(), {cancel}.click()"));
    browser.wait_for("document.querySelectorAll('#log .failed').length == 1");
    wait_for(&|event| event["cancelled"] == 1 && running(event) == Some(1));
    assert_eq!(text(&mut browser, "#log .failed .answer"), "Cancelled.");
    let focus = browser.evaluate("document.activeElement.dataset.path");
    assert_eq!(focus, "/blocking", "the keyboard is lost");
    // The other one was queued behind it, and now has the threads.
    browser.wait_for("document.querySelector('#log progress').value > 0");
    browser.evaluate("document.querySelector('#log button').click()");
    wait_for(&|event| event["cancelled"] == 2 && running(event) == Some(0));
    assert_quiet(&mut browser);
}

#[test]
fn files_are_summarised_in_a_table_and_a_folder_is_called_one() {
    let server = start("step8-data-processing", "1000");
    let Some(mut browser) = page(&server) else { return };
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
    assert_fits(&mut browser);

    browser.evaluate(&choose("Oslo;cold"));
    wait_for_results(&mut browser, 2);
    let answer = text(&mut browser, "#log .failed .answer");
    assert!(answer.contains("Line 1: expected NAME;VALUE"), "{answer}");

    let waits = browser.evaluate(
        "files = new DataTransfer();
        for (const letter of 'abcde') {
            files.items.add(new File([`${letter};1.0`], `${letter}.txt`));
        }
        dispatchEvent(new DragEvent('drop', { dataTransfer: files }));
        document.getElementById('in-flight').textContent",
    );
    assert_eq!(waits, "3 of 3 in flight, 2 files queued");
    wait_for_results(&mut browser, 7);
    let rows = "[...document.querySelectorAll('#log .request')]
        .map((row) => row.textContent).reverse().slice(2).join(', ')";
    assert_eq!(
        browser.evaluate(rows),
        "3. /summary of a.txt, 4. /summary of b.txt, 5. /summary of c.txt, \
         6. /summary of d.txt, 7. /summary of e.txt"
    );
    let done = "document.querySelectorAll('#log .done').length";
    assert_eq!(browser.evaluate(done), 6);
    assert_eq!(text(&mut browser, "#log .answer"), "1 row, 1 name");
    assert_eq!(text(&mut browser, "#in-flight"), "");
    let name = text(&mut browser, "#summary tbody td");
    let caption = text(&mut browser, "#summary caption");
    assert_eq!(caption, format!("{name}.txt"), "whose table is it?");

    browser.drop_file(Path::new(env!("CARGO_TARGET_TMPDIR")));
    wait_for_results(&mut browser, 8);
    assert_eq!(
        text(&mut browser, "#log .failed .answer"),
        "It can't be read. Is it a folder?"
    );
    wait_for_text(&mut browser, "state", "The server still answers.");
}
