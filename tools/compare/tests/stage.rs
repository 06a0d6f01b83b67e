//! The stage, in a real browser: by the data that its page holds.
//!
//! Pictures of what the browser shows are written to `target/tmp/stage`.

#![cfg(unix)]

use std::{
    fs,
    io::{BufRead, BufReader},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use compare::options::Options;
use harness::{Browser, Server};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use ureq::Agent;

/// One stage at a time: they would share the cores.
static ALONE: Mutex<()> = Mutex::new(());

/// A running stage; ended when it is dropped.
struct Stage {
    process: Child,
    url: String,
    _alone: MutexGuard<'static, ()>,
}

const LANES: [&str; 2] = ["--only", "step1-blocking,step2-single-worker"];

impl Stage {
    fn start() -> Self {
        Self::with(&LANES)
    }

    fn with(arguments: &[&str]) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut process = Command::new(env!("CARGO_BIN_EXE_compare"))
            .args(["--live", "--live-port", "0", "--threads", "2"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let url = line.split(' ').find(|it| it.starts_with("http://"));
        let url = url.expect(&line).to_owned();
        Self { process, url, _alone: alone }
    }

    fn page(&self) -> Option<Browser> {
        let mut browser = Browser::start()?;
        browser.look(1280, 720, "light");
        browser.open(&self.url);
        browser.wait_for(
            "stage.lanes.length > 0 && stage.lanes.every(lane =>
                lane.about.state == 'runs' && lane.requests.size > 5)",
        );
        Some(browser)
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

/// The processes that a process has started, with their names.
#[cfg(target_os = "linux")]
fn children(id: u32) -> Vec<(Pid, String)> {
    let mut children = String::new();
    for task in fs::read_dir(format!("/proc/{id}/task")).unwrap() {
        let path = task.unwrap().path().join("children");
        children += &fs::read_to_string(path).unwrap_or_default();
    }
    let ids = children.split_whitespace().map(|id| id.parse().unwrap());
    let named = ids.filter_map(|id: i32| {
        let name = fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
        Some((Pid::from_raw(id)?, name.trim().to_owned()))
    });
    named.collect()
}

/// Waits until two steps are children of a process.
#[cfg(target_os = "linux")]
fn steps_of(id: u32) -> Vec<Pid> {
    let start = Instant::now();
    loop {
        let all = children(id);
        let steps = all.into_iter().filter(|it| it.1.starts_with("step"));
        let steps: Vec<_> = steps.map(|it| it.0).collect();
        if steps.len() == 2 {
            return steps;
        }
        assert!(start.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            // Not killed: it would leave the steps behind.
            let id = Pid::from_child(&self.process);
            kill_process(id, Signal::INT).ok();
        }
        self.process.wait().ok();
    }
}

/// Clicks the button of a key.
fn click(browser: &mut Browser, key: &str) {
    browser.click(&format!("nav [data-key='{key}']"));
}

/// Waits until each of the lanes has an answer to /blocking.
fn wait_for_results(browser: &mut Browser) {
    browser.wait_for(
        "stage.lanes.every(lane => [...lane.requests.values()].some(it =>
            it.path == '/blocking' && it.outcome == 'ok'))",
    );
}

/// The share of a lane's probes, sent while /blocking counted, that came back
/// only after half of that count.
fn frozen(browser: &mut Browser, lane: usize) -> f64 {
    let share = browser.evaluate(&format!(
        "(() => {{
            const all = [...stage.lanes[{lane}].requests.values()];
            const count = all.find(it => it.path == '/blocking');
            const half = (count.at + count.end) / 2;
            const probes = all.filter(it => it.path == '/non-blocking'
                && it.at > count.at && it.at < half);
            return probes.filter(it => !(it.end < half)).length / probes.length;
        }})()"
    ));
    share.as_f64().expect("there are probes")
}

#[test]
fn the_freeze_is_seen_in_lane_1_and_not_in_lane_2() {
    let stage =
        Stage::with(&[&LANES[..], &["--iterations", "4000000000"]].concat());
    let Some(mut browser) = stage.page() else { return };
    browser.press(" ");
    browser.wait_for(
        "stage.lanes.every(lane => [...lane.requests.values()].some(it =>
            it.path == '/blocking'))",
    );
    thread::sleep(Duration::from_millis(500));
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stage");
    for scheme in ["light", "dark"] {
        for (width, height) in [(1280, 720), (1920, 1080)] {
            browser.look(width, height, scheme);
            thread::sleep(Duration::from_millis(300));
            browser.screenshot(pictures.join(format!("{scheme}-{width}.png")));
        }
    }
    wait_for_results(&mut browser);
    let (first, second) = (frozen(&mut browser, 0), frozen(&mut browser, 1));
    assert!(first > 0.9, "step 1 froze only {first} of its probes");
    assert!(second < 0.1, "step 2 froze {second} of its probes");
    assert_eq!(browser.console_errors(), [""; 0]);
}

/// What leads from one state to the next: a key's name, and what is true then.
const STATES: [(&str, &str); 19] = [
    ("2", "stage.solo === 1 && stage.lanes[0].root.hidden"),
    ("1", "stage.solo === 0 && stage.lanes[1].root.hidden"),
    ("9", "stage.solo === 0 && note() == 'there is no lane 9'"),
    ("2", "stage.solo === 1 && !stage.refused"),
    ("w", "count(1, '/waiting') == 1 && count(0, '/waiting') == 0"),
    ("x", "count(1, '/failing', 'failed') == 1"),
    ("c", "count(1, '/waiting', 'cancelled') == 1"),
    ("b", "count(1, '/blocking') == 100"),
    ("r", "stage.cleared > stage.lanes[1].requests.values().next().value.at"),
    (" ", "count(1, '/blocking') == 101 && count(0, '/blocking') == 0"),
    ("0", "stage.solo === null && !stage.lanes[0].root.hidden"),
    ("t", "stage.turns && pressed('t')"),
    ("t", "!stage.turns && !pressed('t')"),
    ("p", "stage.guess !== null && pressed('p') && /guess|will/.test(note())"),
    ("p", "stage.guess === null && !pressed('p')"),
    ("f", "document.fullscreenElement !== null"),
    ("f", "document.fullscreenElement === null"),
    ("?", "document.getElementById('help').open"),
    ("?", "!document.getElementById('help').open"),
];

/// A state as an expression of JavaScript.
fn is(state: &str) -> String {
    format!(
        "(() => {{
            const count = (lane, path, outcome) =>
                [...stage.lanes[lane].requests.values()].filter(it =>
                    it.path == path && (!outcome || it.outcome == outcome))
                    .length;
            const note = () => document.getElementById('note').textContent;
            const pressed = key => document.querySelector(
                `[data-key=${{key}}]`).ariaPressed == 'true';
            return {state};
        }})()"
    )
}

#[test]
fn each_key_leads_to_its_state() {
    let stage = Stage::with(&[&LANES[..], &["--iterations", "1000"]].concat());
    let Some(mut browser) = stage.page() else { return };
    for (key, state) in STATES {
        browser.press(key);
        browser.wait_for(&is(state));
    }
    browser.press("?");
    browser.wait_for("document.getElementById('help').open");
    browser.press("Escape");
    browser.wait_for("!document.getElementById('help').open");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn the_mouse_leads_to_the_same_states_as_the_keys() {
    let stage = Stage::with(&[&LANES[..], &["--iterations", "1000"]].concat());
    let Some(mut browser) = stage.page() else { return };
    for (key, state) in STATES {
        match key {
            "9" => continue,
            // A click on the lane that is alone would show all.
            "1" | "2" => {
                click(&mut browser, "0");
                let lane = format!("section:nth-child({key}) h2");
                browser.click(&lane);
            }
            "?" if state.starts_with('!') => {
                browser.click("dialog [data-key]");
            }
            _ => click(&mut browser, key),
        }
        browser.wait_for(&is(state));
    }
    browser.click("section:nth-child(2) h2");
    browser.wait_for("stage.solo === 1");
    browser.click("section:nth-child(2) h2");
    browser.wait_for("stage.solo === null");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn a_key_isnt_taken_for_a_press_of_the_button_that_has_the_focus() {
    let stage = Stage::with(&[&LANES[..], &["--iterations", "1000"]].concat());
    let Some(mut browser) = stage.page() else { return };
    click(&mut browser, "t");
    click(&mut browser, "t");
    browser.press(" ");
    browser.wait_for(&is("count(1, '/blocking', 'ok') == 1"));
    assert_eq!(browser.evaluate("stage.turns"), false);
    // With the keyboard alone.
    browser.evaluate("document.querySelector('[data-key=w]').focus()");
    browser.press("Tab");
    browser.press("Enter");
    browser.wait_for(&is("count(1, '/failing', 'failed') == 1"));
}

#[test]
fn what_happens_is_hidden_until_the_class_has_guessed() {
    let stage = Stage::with(&[&LANES[..], &["--iterations", "1000"]].concat());
    let Some(mut browser) = stage.page() else { return };
    // How many points have the colour of a request, as they are drawn.
    let seen = "(() => {
        const probe = document.createElement('i');
        probe.style.color = 'var(--sent)';
        document.body.append(probe);
        const colour = getComputedStyle(probe).color.match(/\\d+/g);
        probe.remove();
        return stage.lanes.map(({ canvas }) => {
            const { data } = canvas.getContext('2d')
                .getImageData(0, 0, canvas.width, canvas.height);
            let points = 0;
            for (let at = 0; at < data.length; at += 4) {
                points += colour.every((it, n) => data[at + n] == it);
            }
            return points;
        });
    })()";
    browser.press("2");
    browser.press("p");
    browser.press("w");
    browser.wait_for(&is("count(1, '/waiting', 'ok') == 1"));
    // Some pictures later.
    thread::sleep(Duration::from_millis(500));
    assert_eq!(browser.evaluate(seen)[1], 0);
    browser.press("p");
    browser.wait_for(&format!("{seen}[1] > 100"));
    browser.press("r");
    // It would scroll away by itself, but later.
    thread::sleep(Duration::from_millis(500));
    assert_eq!(browser.evaluate(seen)[1], 0);
}

#[test]
fn the_difference_goes_from_hunk_to_hunk_and_back_to_its_lane() {
    let stage = Stage::start();
    let Some(mut browser) = stage.page() else { return };
    browser.press("1");
    browser.press("d");
    browser.wait_for(&is("note() == 'this lane has no step before it'"));
    let at_hunk = |number: usize| {
        format!(
            "(() => {{
                const hunks = document.querySelectorAll('#diff-1-2 .hunk');
                const title = document.querySelector('#diff-1-2 .title');
                const gap = hunks[{number}].getBoundingClientRect().top
                    - title.getBoundingClientRect().bottom;
                return Math.abs(gap) < 10;
            }})()"
        )
    };
    let shown = "location.pathname == '/difference.html' &&
        document.readyState == 'complete' &&
        document.querySelector('#diff-1-2 .hunk') !== null";
    // The first press goes to the first hunk.
    let by_key = |browser: &mut Browser, key: &str| browser.press(key);
    let by_mouse = |browser: &mut Browser, key: &str| match key {
        "d" => click(browser, key),
        _ => browser.click(&format!("#diff-1-2 [data-key={key}]")),
    };
    for act in [by_key as fn(&mut Browser, &str), by_mouse] {
        browser.press("2");
        act(&mut browser, "d");
        browser.wait_for(shown);
        act(&mut browser, "ArrowRight");
        browser.wait_for(&at_hunk(0));
        act(&mut browser, "ArrowRight");
        browser.wait_for(&at_hunk(1));
        act(&mut browser, "ArrowLeft");
        browser.wait_for(&at_hunk(0));
        act(&mut browser, "Escape");
        browser.wait_for("location.pathname == '/' && stage.solo === 1");
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn a_page_of_another_site_can_send_nothing() {
    let stage = Stage::start();
    let agent: Agent =
        Agent::config_builder().http_status_as_error(false).build().into();
    let send = |origin: &str| {
        let request = agent.post(format!("{}/send/all/waiting", stage.url));
        let request = request.header("Origin", origin);
        request.send_empty().unwrap().status().as_u16()
    };
    assert_eq!(send("http://example.com"), 404);
    assert_eq!(send("null"), 404);
    assert_eq!(send(&stage.url), 204);
    let request = agent.get(format!("{}/events", stage.url));
    let other = request.header("Host", "example.com").call().unwrap();
    assert_eq!(other.status(), 404, "a name that leads here is none of ours");
}

#[cfg(target_os = "linux")]
#[test]
fn no_step_is_left_running_whichever_signal_ends_it() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut stage = Stage::start();
        let children = steps_of(stage.process.id());
        stage.send(signal);
        stage.process.wait().unwrap();
        for child in children {
            assert!(test_kill_process(child).is_err(), "{child:?} runs on");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn no_step_is_left_running_after_a_panic_in_the_stage() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let arguments = ["compare", "--live", "--live-port", "0", "--quiet"];
    let options =
        Options::parse_from(arguments.into_iter().chain(LANES.to_vec()));
    let mut steps = Vec::new();
    let panics = async {
        let look = || steps_of(std::process::id());
        steps = tokio::task::spawn_blocking(look).await.unwrap();
        panic!("on purpose");
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            tokio::select! {
                outcome = compare::stage::run(&options) => outcome.is_ok(),
                () = panics => true,
            }
        })
    }));
    drop(runtime);
    assert!(outcome.is_err(), "it hasn't panicked");
    assert_eq!(steps.len(), 2);
    for step in steps {
        assert!(test_kill_process(step).is_err(), "{step:?} runs on");
    }
}

/// The request to a path that was sent last, as an expression of JavaScript.
fn last(lane: usize, path: &str) -> String {
    format!(
        "[...stage.lanes[{lane}].requests.values()].filter(it =>
            it.path == '{path}').at(-1)"
    )
}

#[test]
fn all_lanes_are_sent_to_at_the_same_time_or_in_turns() {
    let stage =
        Stage::with(&[&LANES[..], &["--iterations", "1000000000"]].concat());
    let Some(mut browser) = stage.page() else { return };
    let both = |path: &str, what: &str| {
        format!(
            "(() => {{
                const [a, b] = [{}, {}];
                return {what};
            }})()",
            last(0, path),
            last(1, path)
        )
    };
    let done = |path: &str| both(path, "a?.end > 0 && b?.end > 0");
    browser.press(" ");
    browser.wait_for(&done("/blocking"));
    let together = both("/blocking", "a.at < b.end && b.at < a.end");
    assert_eq!(browser.evaluate(&together), true);

    browser.press("t");
    browser.press("w");
    browser.wait_for(&done("/waiting"));
    let after = both("/waiting", "b.at >= a.end");
    assert_eq!(browser.evaluate(&after), true);

    // To cancel one lane gives the turn to the next, to cancel all ends it.
    browser.press("1");
    browser.press("0");
    browser.press("t");
    browser.press("w");
    browser.wait_for(&both("/waiting", "a.at > b.end && !a.end"));
    browser.press("1");
    browser.press("c");
    browser.wait_for(&both(
        "/waiting",
        "a.outcome == 'cancelled' && b.at > a.end && !b.end",
    ));
    browser.press("0");
    browser.press("t");
    browser.press("c");
    browser.wait_for(&both("/waiting", "b.outcome == 'cancelled'"));
    browser.press("w");
    browser.wait_for(&both("/waiting", "a.at > b.end && !a.end"));
    browser.press("c");
    browser.wait_for(&both("/waiting", "a.outcome == 'cancelled'"));
    thread::sleep(Duration::from_millis(500));
    assert_eq!(browser.evaluate(&both("/waiting", "b.at > a.at")), false);
}

#[test]
fn a_burst_is_refused_in_part_and_what_is_cancelled_leaves_its_place() {
    let stage = Stage::with(&["--only", "step7-cancellation"]);
    let Some(mut browser) = stage.page() else { return };
    browser.press("b");
    browser.wait_for(&is("count(0, '/blocking', 'refused') == 36"));
    assert_eq!(browser.evaluate(&is("count(0, '/blocking')")), 100);
    browser.press("c");
    browser.wait_for(&is("count(0, '/blocking', 'cancelled') > 60"));
    browser.press(" ");
    browser.wait_for(&format!("{}.outcome == 'ok'", last(0, "/blocking")));
}

#[test]
fn with_two_workers_some_connections_freeze_and_others_dont() {
    let stage =
        Stage::with(&["--only", "step2-single-worker", "--two-workers"]);
    let Some(mut browser) = stage.page() else { return };
    let names = "stage.lanes.map(lane => lane.about.name).join()";
    assert_eq!(browser.evaluate(names), "step2-single-worker,two-workers");
    browser.press("2");
    browser.press(" ");
    browser.wait_for(&is("count(1, '/blocking', 'ok') == 1"));
    let share = frozen(&mut browser, 1);
    assert!((0.2..0.8).contains(&share), "{share} of its probes froze");
}

#[cfg(target_os = "linux")]
#[test]
fn a_step_that_dies_is_said_in_every_browser_and_after_a_reload() {
    let stage = Stage::start();
    let Some(mut browser) = stage.page() else { return };
    let Some(mut other) = stage.page() else { return };
    browser.press("2");
    let all = children(stage.process.id());
    let step = all.iter().find(|it| it.1 == "step1-blocking").unwrap();
    kill_process(step.0, Signal::KILL).unwrap();
    let ended = "stage.lanes[0]?.about.state == 'ended'
        && stage.lanes[0].state.textContent.includes('signal: 9')";
    browser.wait_for(ended);
    other.wait_for(ended);
    browser.evaluate("window.isOld = true; location.reload()");
    browser.wait_for("!window.isOld && window.stage?.solo === 1");
    browser.wait_for(ended);
    // The others go on, for both.
    browser.press(" ");
    for browser in [&mut browser, &mut other] {
        browser.wait_for(&is("count(1, '/blocking', 'ok') == 1"));
        let goes_on =
            "now() - Math.max(...[...stage.lanes[1].requests.values()]
            .map(it => it.at)) < 2000";
        browser.wait_for(goes_on);
        assert_eq!(browser.evaluate("stage.lanes[0].about.state"), "ended");
    }
}

#[test]
fn a_peer_that_vanishes_is_said_and_probed_until_it_is_back() {
    let program = harness::program("step2-single-worker", None).unwrap();
    let start = |port: &str| {
        let mut command = harness::command(&program);
        Server::start(command.args(["--port", port])).unwrap()
    };
    let peer = start("0");
    let url = peer.url().to_owned();
    let name = "a name that is far too long for its place on the page";
    let stage = Stage::with(&[
        "--only",
        "step2-single-worker",
        "--url",
        &format!("{name}={url}"),
    ]);
    let Some(mut browser) = stage.page() else { return };
    assert_eq!(browser.evaluate("stage.lanes[1].about.name"), name);
    peer.kill();
    browser.wait_for(
        "stage.lanes[1].about.state == 'away'
            && stage.lanes[1].state.textContent.includes('refused')",
    );
    let (_, port) = url.rsplit_once(':').unwrap();
    let _back = start(port);
    browser.wait_for("stage.lanes[1].about.state == 'runs'");
    assert_eq!(browser.evaluate("stage.lanes[0].about.state"), "runs");
}

#[cfg(target_os = "linux")]
#[test]
fn who_was_asleep_is_said_and_the_stage_goes_on() {
    let stage = Stage::start();
    let Some(mut browser) = stage.page() else { return };
    let asleep = "document.getElementById('note').textContent
        .startsWith('Nothing was heard for')";
    let goes_on = "now() - Math.max(...[...stage.lanes[1].requests.values()]
        .map(it => it.at)) < 1000";
    assert_eq!(browser.evaluate(asleep), false);
    stage.send(Signal::STOP);
    thread::sleep(Duration::from_secs(3));
    stage.send(Signal::CONT);
    browser.wait_for(asleep);
    browser.wait_for(goes_on);
    browser.evaluate("stage.slept = null");

    let mut family = vec![Pid::from_raw(browser.id() as i32).unwrap()];
    let mut next = 0;
    while let Some(member) = family.get(next) {
        let id = member.as_raw_nonzero().get() as u32;
        family.extend(children(id).into_iter().map(|it| it.0));
        next += 1;
    }
    for signal in [Signal::STOP, Signal::CONT] {
        for member in &family {
            kill_process(*member, signal).ok();
        }
        thread::sleep(Duration::from_secs(3));
    }
    browser.wait_for("stage.slept !== null");
    browser.wait_for(goes_on);
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_row_for_each_thread_has_a_name_that_is_read() {
    let stage = Stage::start();
    let Some(mut browser) = stage.page() else { return };
    browser.wait_for(
        "stage.lanes[1].threads.at(-1)?.threads.map(it => it[1]).join()
            == 'main,server: answers,server: accepts'",
    );
    browser.press("2");
    browser.press(" ");
    browser.wait_for(
        "stage.lanes[1].threads.some(look => look.threads.some(it =>
            it[1] == 'worker' && it[2] > 0.5))",
    );
}

/// The keys of the 50-minute class, in the order of its table.
fn keys_of_the_class() -> Vec<String> {
    let chapter = harness::workspace().join("docs/chapters/teaching.md");
    let chapter = fs::read_to_string(chapter).unwrap();
    let (_, table) = chapter.split_once("## A class of 50 minutes").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let keys = rows.flat_map(|row| row.split("<kbd>").skip(1));
    let keys = keys.map(|it| it.split_once("</kbd>").unwrap().0.to_owned());
    keys.collect()
}

#[test]
fn the_class_of_50_minutes_goes_as_its_table_says() {
    // What is seen after each key of the table.
    let lesson = [
        ("1", "stage.solo === 0"),
        ("space", "count(0, '/blocking', 'ok') == 1"),
        ("r", "stage.cleared > 0"),
        ("w", "count(0, '/waiting', 'ok') == 1"),
        ("space", "count(0, '/blocking', 'ok') == 2"),
        ("4", "stage.lanes[3].about.name == 'two-workers'"),
        ("p", "stage.guess !== null"),
        ("space", "count(3, '/blocking', 'ok') == 1"),
        ("p", "stage.guess === null"),
        ("2", "stage.solo === 1"),
        ("space", "count(1, '/blocking', 'ok') == 1"),
        ("d", "location.hash == '#diff-1-2'"),
        ("→", "scrollY > 0"),
        ("Esc", "location.pathname == '/' && window.stage?.solo === 1"),
        ("p", "stage.guess !== null"),
        ("x", "count(1, '/failing', 'failed') == 1"),
        ("p", "stage.guess === null"),
        ("0", "stage.solo === null"),
        ("t", "stage.turns"),
        ("space", "count(2, '/blocking', 'ok') == 1"),
    ];
    assert_eq!(keys_of_the_class(), lesson.map(|it| it.0));
    let stage = Stage::with(&[
        "--only",
        "step1-blocking,step2-single-worker,step3-multi-worker",
        "--two-workers",
        "--iterations",
        "100000000",
    ]);
    let Some(mut browser) = stage.page() else { return };
    for (key, state) in lesson {
        browser.press(match key {
            "space" => " ",
            "→" => "ArrowRight",
            "Esc" => "Escape",
            key => key,
        });
        browser.wait_for(&is(state));
        browser.wait_for("document.readyState == 'complete'");
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn a_machine_is_ready_when_all_that_the_class_needs_answers() {
    let ready = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
        command.args(["--ready", "--quiet", "--only", "step1-blocking"]);
        command.args(arguments).output().unwrap()
    };
    let good = ready(&[]);
    assert!(good.status.success(), "{good:?}");
    assert_eq!(good.stdout, b"ready: 2 servers start and answer\n");
    let bad = ready(&["--url", "gone=http://127.0.0.1:9"]);
    assert_eq!(bad.status.code(), Some(1), "{bad:?}");
    assert_eq!(bad.stdout, b"not ready: 1 of 3 servers\n");
    let said = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert!(said.starts_with("gone: "), "{said}");
}
