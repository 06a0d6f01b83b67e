//! The stage, in a real browser: by the data that its page holds.
//!
//! Pictures of what the browser shows are written to `target/tmp/stage`.

#![cfg(unix)]

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use harness::Browser;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use ureq::Agent;

/// A running stage; killed when it is dropped.
struct Stage {
    process: Child,
    url: String,
}

impl Stage {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_compare"))
            .args(["--live", "--live-port", "0", "--threads", "2"])
            .args(["--only", "step1-blocking,step2-single-worker"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let url = line.split(' ').find(|it| it.starts_with("http://"));
        let url = url.expect(&line).to_owned();
        Self { process, url }
    }

    fn page(&self) -> Option<Browser> {
        let mut browser = Browser::start()?;
        browser.look(1280, 720, "light");
        browser.open(&self.url);
        browser.wait_for(
            "stage.lanes.length == 2 && stage.lanes.every(lane =>
                lane.about.state == 'runs' && lane.requests.size > 5)",
        );
        Some(browser)
    }

    /// The processes that it has started.
    #[cfg(target_os = "linux")]
    fn children(&self) -> Vec<Pid> {
        let id = self.process.id();
        let mut children = String::new();
        for task in std::fs::read_dir(format!("/proc/{id}/task")).unwrap() {
            let path = task.unwrap().path().join("children");
            children += &std::fs::read_to_string(path).unwrap();
        }
        let ids = children.split_whitespace();
        ids.map(|id| Pid::from_raw(id.parse().unwrap()).unwrap()).collect()
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

fn press(browser: &mut Browser, key: &str) {
    browser.evaluate(&format!(
        "dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}' }}))"
    ));
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
    let stage = Stage::start();
    let Some(mut browser) = stage.page() else { return };
    press(&mut browser, " ");
    browser.wait_for(
        "stage.lanes.every(lane => [...lane.requests.values()].some(it =>
            it.path == '/blocking'))",
    );
    thread::sleep(Duration::from_secs(1));
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

#[test]
fn each_key_leads_to_its_state() {
    let stage = Stage::start();
    let Some(mut browser) = stage.page() else { return };
    for (key, state) in [
        ("2", "stage.solo === 1 && stage.lanes[0].root.hidden"),
        ("p", "stage.guess !== null"),
        ("p", "stage.guess === null"),
        ("r", "stage.cleared > 0"),
        ("?", "document.getElementById('help').open"),
        ("?", "!document.getElementById('help').open"),
        (
            "w",
            "[...stage.lanes[1].requests.values()].some(it =>
                it.path == '/waiting')",
        ),
        (
            "x",
            "[...stage.lanes[1].requests.values()].some(it =>
                it.path == '/failing' && it.outcome == 'failed')",
        ),
        (
            "c",
            "[...stage.lanes[1].requests.values()].some(it =>
                it.path == '/waiting' && it.outcome == 'cancelled')",
        ),
        ("0", "stage.solo === null && !stage.lanes[0].root.hidden"),
        ("2", "stage.solo === 1"),
        (
            "d",
            "location.pathname == '/difference.html' &&
                document.querySelector('#diff-1-2 .hunk') !== null",
        ),
        ("Escape", "location.pathname == '/' && stage.solo === 1"),
    ] {
        press(&mut browser, key);
        browser.wait_for(state);
    }
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
        let start = Instant::now();
        while stage.children().len() < 2 {
            assert!(start.elapsed() < Duration::from_secs(60));
        }
        let children = stage.children();
        kill_process(Pid::from_child(&stage.process), signal).unwrap();
        stage.process.wait().unwrap();
        for child in children {
            assert!(test_kill_process(child).is_err(), "{child:?} runs on");
        }
    }
}
