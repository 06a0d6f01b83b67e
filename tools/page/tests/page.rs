//! The page at `/`, in a real browser, each test with the step it is about: the
//! page is the same in all of them.

use std::path::Path;

use harness::{Browser, Server, events};
use serde_json::{Value, json};

/// The text of an element, how many elements there are, and a click on a
/// request's button. Every text of an element from now on; and for how long,
/// according to these, there was no response.
const HELPERS: &str = "
    window.text = selector => document.querySelector(selector)?.textContent;
    window.count = selector => document.querySelectorAll(selector).length;
    window.send = path =>
        document.querySelector(`[data-path='${path}']`).click();
    window.isVisible = selector =>
        document.querySelector(selector).checkVisibility();
    window.note = selector => {
        window.noted = [];
        new MutationObserver(() => noted.push(text(selector)))
            .observe(document.querySelector(selector), { childList: true });
    };
    window.seconds = text =>
        parseFloat(/[\\d.]+ m?s/.exec(text)) / (/\\d ms/.test(text) ? 1000 : 1);
    window.longest = () => Math.max(0, ...noted
        .filter(it => it.startsWith('No response for ')).map(seconds));
    // The stream of progress that the tab opened last.
    EventSource = class extends EventSource {
        constructor(url) {
            super(url);
            window.stream = this;
        }
    };";

/// A step that counts this far, with one thread: on any machine the browser has
/// the others.
fn start(step: &str, iterations: &str) -> Server {
    start_with(step, &[("ITERATIONS", iterations)])
}

fn start_with(step: &str, settings: &[(&str, &str)]) -> Server {
    let program = harness::program(step);
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
    browser.before_scripts(HELPERS);
    browser.look(1280, 800, "light");
    // Drawing costs more than everything else here.
    browser.little_motion();
    browser.open(server.url());
    wait_for_answers(browser, 1);
}

/// Another tab of the same page in the same browser.
fn another_tab(first: &Browser, server: &Server) -> Browser {
    let mut tab = first.tab();
    open(&mut tab, server);
    tab.evaluate("note('#state')");
    tab
}

/// Checks that this is true now.
fn check(browser: &mut Browser, claim: &str) {
    if browser.evaluate(claim) != true {
        let noted = browser.evaluate("window.noted");
        panic!("not true: {claim}; noted: {noted}");
    }
}

/// Waits until so many more heartbeats were answered.
fn wait_for_answers(browser: &mut Browser, more: u64) {
    browser.evaluate("before = Number(text('#answers'))");
    browser.wait_for(&format!("text('#answers') >= before + {more}"));
}

/// Waits until this many requests have a result.
fn wait_for_results(browser: &mut Browser, count: usize) {
    browser.wait_for(&format!("count('#log .time') == {count}"));
}

fn text(browser: &mut Browser, selector: &str) -> String {
    let text = browser.evaluate(&format!("text('{selector}')"));
    text.as_str().expect(selector).to_owned()
}

/// Waits until an element's text contains this.
fn wait_for_text(browser: &mut Browser, selector: &str, part: &str) {
    browser.wait_for(&format!("text('{selector}').includes('{part}')"));
}

fn send(browser: &mut Browser, path: &str) {
    browser.evaluate(&format!("send('{path}')"));
}

/// Wide and narrow: what is seen fits.
fn assert_fits(browser: &mut Browser) {
    for width in [400, 1280] {
        browser.look(width, 800, "light");
        check(browser, "document.documentElement.scrollWidth <= innerWidth");
    }
}

#[test]
fn step_1_freezes_while_it_counts_and_each_tab_says_what_it_knows() {
    let server = start("step1-blocking", "2_000_000_000");
    let Some(mut browser) = page(&server) else { return };
    let mut idle = another_tab(&browser, &server);
    check(&mut browser, "!isVisible('#pool')");
    check(&mut browser, "!isVisible('[data-path=\"/failing\"]')");
    browser.evaluate("note('#announcement')");
    // By keyboard: the button is the first that can be reached.
    browser.press("Tab");
    browser.press("Enter");
    wait_for_text(&mut browser, "#state", "Frozen for ");
    wait_for_results(&mut browser, 1);
    assert_eq!(text(&mut browser, "#log .answer"), "Result is 2000000000");
    let timing = text(&mut browser, "#log .server");
    assert!(timing.starts_with("Server-Timing: count "), "{timing}");
    wait_for_text(&mut browser, "#state", "It was frozen for ");
    assert_fits(&mut browser);

    // The button still has the focus.
    check(&mut browser, "document.activeElement.dataset.path == '/blocking'");
    let expected = "Frozen: the only server thread is counting.";
    check(&mut browser, &format!("noted.includes('{expected}')"));
    // Not each tenth of a second.
    check(&mut browser, "new Set(noted).size <= 8");

    // A tab that sent nothing claims only that nothing comes.
    wait_for_answers(&mut idle, 3);
    check(&mut idle, "longest() > 0 && !/rozen/.test(noted)");
    check(&mut idle, "/: the only server thread may be counting/.test(noted)");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn step_2_answers_the_heartbeat_while_a_worker_counts() {
    let server = start("step2-single-worker", "2_000_000_000");
    let Some(mut browser) = page(&server) else { return };
    browser.evaluate("note('#announcement')");
    send(&mut browser, "/blocking");
    wait_for_text(&mut browser, "#state", "Waiting for /blocking: ");
    assert_fits(&mut browser);
    // As in "Done after 3.0 s: 29 heartbeats answered."
    let done = "/^Done after .*: ([3-9]|\\d\\d+) heart/.test(text('#state'))";
    browser.wait_for(done);
    let expected = "Waiting for /blocking; the heartbeat is answered.";
    check(&mut browser, &format!("noted.includes('{expected}')"));
    check(&mut browser, "!/rozen/.test(noted)");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn no_more_than_three_are_in_flight_one_may_fail_and_a_busy_server_is_there() {
    let server = start("step2-single-worker", "1000");
    let Some(mut browser) = page(&server) else { return };
    let pressed = browser.evaluate(
        "button = document.querySelector('button');
        for (let i = 0; i < 5; i += 1) button.click();
        [count('#log li'), text('#in-flight'), button.ariaDisabled]",
    );
    assert_eq!(pressed, json!([3, "3 of 3 in flight", "true"]));
    wait_for_results(&mut browser, 3);
    assert_eq!(browser.evaluate("button.ariaDisabled"), "false");
    check(
        &mut browser,
        "[...document.querySelectorAll('#log .answer')]
            .every(it => it.textContent == 'Result is 1000')",
    );
    assert_eq!(browser.console_errors(), [""; 0]);

    assert_eq!(server.stderr_so_far(), "", "/failing isn't called to see");
    send(&mut browser, "/failing");
    wait_for_results(&mut browser, 4);
    assert_eq!(
        text(&mut browser, "#log .failed .answer"),
        "500 Internal Server Error: The worker failed; \
         the server is still running."
    );
    wait_for_text(&mut browser, "#state", "The server still answers.");
    let errors = browser.console_errors();
    assert_eq!(errors.len(), 1, "only the 500: {errors:?}");

    // A server too busy to read a request in time is still there.
    browser.evaluate("note('#state')");
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
    check(&mut browser, "!/No step/.test(noted)");
}

/// In step 5 the page counts what was refused, from step 6 on the server does.
#[test]
fn taken_slots_and_refusals_are_seen_and_only_step_7_stops_the_work() {
    let Some(mut browser) = Browser::start() else { return };
    for step in
        ["step5-back-pressure", "step6-shared-memory", "step7-cancellation"]
    {
        let settings = [("ITERATIONS", "20_000_000_000"), ("QUEUE", "2")];
        let server = start_with(step, &settings);
        open(&mut browser, &server);
        browser.look(1280, 720, "light");
        for _ in 0..3 {
            send(&mut browser, "/blocking");
        }
        wait_for_results(&mut browser, 1);
        let answer = text(&mut browser, "#log .failed .answer");
        let expected = "503 Service Unavailable: The server is busy";
        assert!(answer.starts_with(expected), "{answer}");
        browser.wait_for(
            "count('#slots .taken') == 2 && text('#refused') == '✕ 1 refused'
                && text('#queued').startsWith('Jobs in the queue: 1;')",
        );
        // All of it without scrolling, the request that runs included.
        check(
            &mut browser,
            "['#pool', '#axis', '#state', '#log li'].every(it => document
                .querySelector(it).getBoundingClientRect().bottom <= 720)",
        );
        if step == "step5-back-pressure" {
            continue;
        }
        browser.wait_for(
            "running = [...document.querySelectorAll('#log li')]
                .find(it => it.querySelector('progress')?.value > 0);
            Boolean(running)",
        );
        browser.evaluate("running.querySelector('button').click()");
        browser.wait_for("running.textContent.includes('Cancelled.')");
        if step == "step6-shared-memory" {
            let pool = server.get("/pool");
            assert!(pool.body().contains("\"admitted\":2"), "{}", pool.body());
        } else {
            wait_for_text(&mut browser, "#admitted", "1 of 2 ");
        }
    }
}

#[test]
fn used_up_connections_are_no_freeze_and_a_hidden_tab_uses_none() {
    let server = start("step7-cancellation", &u64::MAX.to_string());
    let Some(mut first) = page(&server) else { return };
    let mut second = another_tab(&first, &server);
    first.evaluate("note('#state')");
    first.wait_for("stream.readyState == EventSource.OPEN");
    let hide = |is_hidden| {
        format!(
            "Object.defineProperty(document, 'hidden',
                {{ value: {is_hidden}, configurable: true }});
            document.dispatchEvent(new Event('visibilitychange'));
            stream.readyState == EventSource.CLOSED"
        )
    };
    assert_eq!(first.evaluate(&hide(true)), true);
    assert_eq!(first.evaluate(&hide(false)), false);

    // Browsers open six connections to a host: all are in use now.
    for tab in [&mut first, &mut second] {
        send(tab, "/blocking");
        send(tab, "/blocking");
    }
    first.wait_for("text('#admitted') == '4 of 8 slots taken'");
    first.evaluate("start = performance.now()");
    send(&mut first, "/waiting");
    for tab in [&mut first, &mut second] {
        wait_for_answers(tab, 3);
        check(tab, "!/rozen/.test(noted)");
    }
    drop(second);
    // Nothing counts while /waiting waits.
    first.evaluate(
        "document.querySelectorAll('#log li + li button')
            .forEach(button => button.click())",
    );
    wait_for_results(&mut first, 3);
    // The browser's delay doesn't count as the server's.
    check(
        &mut first,
        "seconds(text('#log .time')) + seconds(text('#log .held'))
            < (performance.now() - start) / 1000 + 0.2",
    );
}

#[test]
fn neither_waiting_nor_a_pause_of_the_page_is_a_freeze() {
    let server = start("step1-blocking", "1000");
    let Some(mut browser) = page(&server) else { return };
    browser.evaluate("note('#state')");
    send(&mut browser, "/waiting");
    wait_for_text(&mut browser, "#state", " heartbeats answered.");
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
    check(&mut browser, "longest() < 0.9 && !/rozen/.test(noted)");
    check(&mut browser, "seconds(text('#worst')) < 0.9");
}

#[test]
fn the_page_continues_with_another_step_that_takes_the_port() {
    let server = start("step6-shared-memory", "1000");
    let Some(mut browser) = page(&server) else { return };
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    let settings = [("PORT", &*port), ("ITERATIONS", "2_000")];
    send(&mut browser, "/blocking");
    wait_for_text(&mut browser, "#state", "Done after ");
    assert_eq!(browser.evaluate("count('#log progress')"), 0);
    #[cfg(unix)]
    {
        server.terminate();
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0), "an open page holds it up");
    }
    #[cfg(not(unix))]
    server.kill();
    browser.wait_for("count('#state.away') == 1");
    // There are no slots now.
    check(&mut browser, "!isVisible('#pool')");

    let _server = start_with("step5-back-pressure", &settings);
    wait_for_text(&mut browser, "#step", "step5-back-pressure");
    // Step 6's result says nothing about this one.
    wait_for_text(&mut browser, "#state", "Now send /blocking.");
    let expected = "/blocking counts to 2,000 with 1 thread";
    wait_for_text(&mut browser, "#settings", expected);
    wait_for_text(&mut browser, "#admitted", "0 of 8 ");
    wait_for_text(&mut browser, "#hint", "To see a refusal: QUEUE=2");
    assert_eq!(browser.evaluate("count('#slots span')"), 8);
    send(&mut browser, "/blocking");
    wait_for_results(&mut browser, 2);
    assert_eq!(text(&mut browser, "#log .answer"), "Result is 2000");
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
    browser.wait_for("count('#log progress') == 2");
    wait_for(&|event| running(event) == Some(2));
    browser
        .wait_for("/^about .* left$/.test(text('#log li:last-child .left'))");
    assert_fits(&mut browser);
    let cancel = "document.querySelector('#log li:last-child button')";
    browser.evaluate(&format!("{cancel}.focus(), {cancel}.click()"));
    browser.wait_for("text('#log .failed .answer') == 'Cancelled.'");
    wait_for(&|event| event["cancelled"] == 1 && running(event) == Some(1));
    // The keyboard isn't lost.
    check(&mut browser, "document.activeElement.dataset.path == '/blocking'");
    // The other one was queued behind it, and now has the threads.
    browser.wait_for("document.querySelector('#log progress').value > 0");
    browser.evaluate("document.querySelector('#log button').click()");
    wait_for(&|event| event["cancelled"] == 2 && running(event) == Some(0));
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn files_are_summarised_in_a_table_and_a_folder_is_called_one() {
    let server = start("step8-data-processing", "1000");
    let Some(mut browser) = page(&server) else { return };
    browser.evaluate(
        "choose = text => {
            const files = new DataTransfer();
            files.items.add(new File([text], 'measurements.txt'));
            const input = document.getElementById('file');
            input.files = files.files;
            input.dispatchEvent(new Event('change'));
        }",
    );
    browser.evaluate("choose('Oslo;-3.4\\nAbha;59.2\\n<b>;-23.0')");
    wait_for_results(&mut browser, 1);
    assert_eq!(text(&mut browser, "#log .answer"), "3 rows, 3 names");
    assert_eq!(
        text(&mut browser, "#summary tbody"),
        "<b>-23.0-23.0-23.01Abha59.259.259.21Oslo-3.4-3.4-3.41"
    );
    assert_fits(&mut browser);

    browser.evaluate("choose('Oslo;cold')");
    wait_for_results(&mut browser, 2);
    let answer = text(&mut browser, "#log .failed .answer");
    assert!(answer.contains("Line 1: expected NAME;VALUE"), "{answer}");

    let waits = browser.evaluate(
        "dropped = new DataTransfer();
        for (const letter of 'abcde') {
            dropped.items.add(new File([`${letter};1.0`], `${letter}.txt`));
        }
        dispatchEvent(new DragEvent('drop', { dataTransfer: dropped }));
        text('#in-flight')",
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
    assert_eq!(browser.evaluate("count('#log .done')"), 6);
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
    wait_for_text(&mut browser, "#state", "The server still answers.");
}
