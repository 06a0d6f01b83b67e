//! The stage, in a real browser: by the data that its page holds.
//!
//! Pictures of what the browser shows are written to `target/tmp/stage`.

#![cfg(unix)]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use compare::options::NODE;
use harness::Browser;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// A running stage; ended when it is dropped.
struct Stage {
    process: Child,
    url: String,
}

const LANES: [&str; 2] = ["--only", "step1-blocking,step2-single-worker"];

impl Stage {
    fn with(arguments: &[&str]) -> Self {
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
        Self { process, url }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }
}

/// What tests share: a tab, and a stage that no test harms. Both end with the
/// last test that holds them.
struct Room {
    browser: Browser,
    stage: Stage,
}

type Known = Mutex<Weak<Mutex<Room>>>;

/// Its lanes are those of the class of 50 minutes, and count in no time.
/// Nothing where there is no browser.
fn quick() -> Option<Arc<Mutex<Room>>> {
    static QUICK: Known = Mutex::new(Weak::new());
    let class = "step1-blocking,step2-single-worker,step3-multi-worker";
    let few = ["--two-workers", "--iterations", "1000", "--only", class];
    room(&QUICK, &few)
}

/// Its lanes count for half a second. Nothing where there is no browser.
fn slow() -> Option<Arc<Mutex<Room>>> {
    static SLOW: Known = Mutex::new(Weak::new());
    let steps = "step1-blocking,step2-single-worker,step7-cancellation";
    let many = ["--iterations", "2000000000", "--interval", "20"];
    let lanes = ["--two-workers", "--only", steps];
    room(&SLOW, &[&many[..], &lanes[..]].concat())
}

fn room(known: &Known, arguments: &[&str]) -> Option<Arc<Mutex<Room>>> {
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(room) = known.upgrade() {
        return Some(room);
    }
    let browser = tab()?;
    let room = Room { browser, stage: Stage::with(arguments) };
    let room = Arc::new(Mutex::new(room));
    *known = Arc::downgrade(&room);
    Some(room)
}

/// One test at a time: the room has one tab. The page is as if nothing had
/// happened there.
fn enter(room: &Mutex<Room>) -> MutexGuard<'_, Room> {
    let mut room = room.lock().unwrap_or_else(PoisonError::into_inner);
    let Room { browser, stage } = &mut *room;
    open(browser, &stage.url);
    room
}

/// For a lane: the requests the test has sent to a path, the last of them, and
/// how many have that outcome. None is forgotten, however slow the machine is.
const HELPERS: &str = "
    addEventListener('DOMContentLoaded', () => {
        if (window.stage) stage.keeps = Infinity;
    });
    window.sent = (lane, path) => {
        const before = JSON.parse(sessionStorage.before ?? '[]')[lane] ?? -1;
        return [...stage.lanes[lane].requests]
            .filter(([id, it]) => id > before && it.path == path)
            .map(([, it]) => it);
    };
    window.latest = (lane, path) => sent(lane, path).at(-1);
    window.count = (lane, path, outcome) => sent(lane, path)
        .filter(it => !outcome || it.outcome == outcome).length;
    window.note = () => document.getElementById('note').textContent;
    window.says = lane => stage.lanes[lane].state.textContent;
    window.isPressed = key =>
        document.querySelector(`[data-key=${key}]`).ariaPressed == 'true';";

/// A tab that knows the helpers. Nothing where there is no browser.
fn tab() -> Option<Browser> {
    let mut browser = Browser::start()?;
    browser.before_scripts(HELPERS);
    Some(browser)
}

/// Opens the page of a stage, and waits until all lanes are probed and nothing
/// else is in flight. What was sent before isn't counted.
fn open(browser: &mut Browser, url: &str) {
    browser.look(1280, 720, "light");
    // Another page first: the same with another # isn't loaded again.
    browser.open("about:blank");
    browser.open(url);
    browser.wait_for("stage.lanes.length > 0");
    browser.press("c");
    browser.wait_for(
        "stage.lanes.every(lane => lane.about.state == 'runs'
            && lane.requests.size > 5 && [...lane.requests.values()]
                .every(it => it.path == '/non-blocking' || it.end > 0))",
    );
    browser.evaluate(
        "sessionStorage.before = JSON.stringify(stage.lanes.map(lane =>
            Math.max(...lane.requests.keys())))",
    );
    browser.console_errors();
}

/// The servers that a stage has started, with their names, once there are so
/// many.
#[cfg(target_os = "linux")]
fn servers(stage: &Stage, count: usize) -> Vec<(Pid, String)> {
    let id = stage.process.id();
    let named = |id: &str| {
        let name = fs::read_to_string(format!("/proc/{id}/comm")).ok()?;
        Some((Pid::from_raw(id.parse().ok()?)?, name.trim().to_owned()))
    };
    let start = Instant::now();
    loop {
        let tasks = fs::read_dir(format!("/proc/{id}/task")).unwrap();
        let children = tasks.flatten().map(|task| {
            let children = fs::read_to_string(task.path().join("children"));
            children.unwrap_or_default()
        });
        let children: String = children.collect();
        let servers = children.split_whitespace().filter_map(named);
        // They are built first.
        let servers: Vec<_> = servers.filter(|it| it.1 != "cargo").collect();
        if servers.len() == count {
            return servers;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{servers:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            // Don't kill it: that would leave the steps running.
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

/// The share of a lane's probes, sent in the first half of its /blocking, that
/// came back only in the last quarter or after it.
fn frozen(browser: &mut Browser, lane: usize) -> f64 {
    let share = browser.evaluate(&format!(
        "(() => {{
            const count = latest({lane}, '/blocking');
            const half = (count.at + count.end) / 2;
            const late = (half + count.end) / 2;
            const probes = sent({lane}, '/non-blocking')
                .filter(it => it.at > count.at && it.at < half);
            return probes.filter(it => !(it.end < late)).length / probes.length;
        }})()"
    ));
    share.as_f64().expect("there are probes")
}

#[test]
fn one_at_a_time_step_1_freezes_step_2_does_not_and_two_workers_half_do() {
    let Some(room) = slow() else { return };
    let browser = &mut enter(&room).browser;
    browser.press("t");
    browser.press(" ");
    browser.wait_for("/^frozen for \\d\\.\\d s$/.test(says(0))");
    browser.wait_for("says(0) == 'alive'");
    let [first, second, _, both] = [0, 1, 2, 3].map(|lane| {
        let ended = format!("latest({lane}, '/blocking').outcome == 'ok'");
        browser.wait_for(&ended);
        frozen(browser, lane)
    });
    let in_order = "[1, 2, 3].every(lane => latest(lane, '/blocking').at
        >= latest(lane - 1, '/blocking').end)";
    assert_eq!(browser.evaluate(in_order), true);
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stage");
    for (width, height, scheme) in [(1280, 720, "light"), (1920, 1080, "dark")]
    {
        browser.look(width, height, scheme);
        browser.evaluate("frame()");
        browser.screenshot(pictures.join(format!("{scheme}-{width}.png")));
    }
    assert!(first > 0.9, "step 1 froze only {first} of its probes");
    assert!(second < 0.1, "step 2 froze {second} of its probes");
    assert!((0.2..0.8).contains(&both), "two workers froze {both} of theirs");
    assert_eq!(browser.console_errors(), [""; 0]);
}

/// How to get from one state to the next: a key's name, and what is true after
/// it.
const STATES: [(&str, &str); 29] = [
    ("2", "stage.solo === 1 && stage.lanes[0].root.hidden"),
    ("1", "stage.solo === 0 && stage.lanes[1].root.hidden"),
    // The other lane of step 1, and the first again.
    ("1", "stage.solo === 3 && stage.lanes[0].root.hidden"),
    ("1", "stage.solo === 0"),
    ("9", "stage.solo === 0 && note() == `Step 9 isn't on this stage.`"),
    ("2", "stage.solo === 1 && !stage.refused"),
    ("w", "count(1, '/waiting') == 1 && count(0, '/waiting') == 0"),
    ("x", "count(1, '/failing', 'failed') == 1 && says(1) == 'alive, failed'"),
    ("c", "count(1, '/waiting', 'cancelled') == 1"),
    ("b", "count(1, '/blocking', 'ok') == 100"),
    ("r", "stage.cleared > latest(1, '/blocking').at"),
    (" ", "count(1, '/blocking') == 101 && count(0, '/blocking') == 0"),
    ("0", "stage.solo === null && !stage.lanes[0].root.hidden"),
    ("b", "/one lane/.test(note()) && count(1, '/blocking') == 101"),
    (
        "w",
        "[0, 1, 2, 3].every(lane => latest(lane, '/waiting')?.end === undefined)",
    ),
    (
        "n",
        "[0, 1, 2, 3].every(lane => stage.lanes[lane].about.state == 'runs'
            && latest(lane, '/waiting').outcome == 'cancelled')",
    ),
    ("ArrowDown", "stage.solo === 0 && stage.lanes[1].root.hidden"),
    ("ArrowDown", "stage.solo === 1 && stage.lanes[0].root.hidden"),
    ("ArrowUp", "stage.solo === 0 && location.hash == '#step1-blocking'"),
    ("ArrowUp", "stage.solo === null && !stage.lanes[1].root.hidden"),
    ("t", "stage.turns && isPressed('t')"),
    ("t", "!stage.turns && !isPressed('t')"),
    ("p", "stage.guess !== null && isPressed('p') && says(1) == '?'"),
    ("p", "stage.guess === null && !isPressed('p') && /^alive/.test(says(1))"),
    ("f", "document.fullscreenElement !== null"),
    ("f", "document.fullscreenElement === null"),
    ("?", "document.getElementById('help').open"),
    ("?", "!document.getElementById('help').open"),
    ("ArrowUp", "stage.solo === 3 && stage.lanes[0].root.hidden"),
];

#[test]
fn keys_and_mouse_lead_to_the_same_states() {
    let Some(room) = quick() else { return };
    let by_key = |browser: &mut Browser, key: &str, _: &str| browser.press(key);
    let by_mouse = |browser: &mut Browser, key: &str, state: &str| match key {
        // There is no such lane, or button.
        "9" | "ArrowDown" | "ArrowUp" => browser.press(key),
        "1" | "2" => {
            // A click on the only lane shown would show all of them.
            click(browser, "0");
            let lane = state.as_bytes()["stage.solo === ".len()] - b'0' + 1;
            browser.click(&format!("section:nth-of-type({lane}) button"));
        }
        "?" if state.starts_with('!') => browser.click("dialog [data-key]"),
        _ => click(browser, key),
    };
    for act in [by_key as fn(&mut Browser, &str, &str), by_mouse] {
        let browser = &mut enter(&room).browser;
        for (key, state) in STATES {
            act(browser, key, state);
            browser.wait_for(state);
        }
        assert_eq!(browser.console_errors(), [""; 0]);
    }
    let browser = &mut enter(&room).browser;
    browser.press("?");
    browser.wait_for("document.getElementById('help').open");
    browser.press("Escape");
    browser.wait_for("!document.getElementById('help').open");
    browser.click("section:nth-of-type(2) button");
    browser.wait_for("stage.solo === 1");
    browser.click("section:nth-of-type(2) button");
    browser.wait_for("stage.solo === null");
}

#[test]
fn everything_is_reached_by_keyboard_and_read_aloud() {
    let Some(room) = quick() else { return };
    let browser = &mut enter(&room).browser;
    // Each button in turn, and the focus can be seen.
    let reached = "focused = document.activeElement, [
        focused.textContent,
        getComputedStyle(focused).outlineStyle != 'none'
            && parseFloat(getComputedStyle(focused).outlineWidth) >= 2,
    ]";
    let buttons = "[...document.querySelectorAll('nav button, h2 button')]
        .map(it => [it.textContent, true])";
    let buttons = browser.evaluate(buttons);
    let buttons = buttons.as_array().unwrap();
    let names = ["1 blocking", "2 single worker", "3 multi worker"];
    let lanes = &buttons[buttons.len() - 4..];
    for (lane, name) in
        lanes.iter().zip(names.into_iter().chain(["1 two workers"]))
    {
        assert_eq!(lane[0], name);
    }
    for button in buttons {
        browser.press("Tab");
        assert_eq!(browser.evaluate(reached), *button);
    }
    browser.press("Enter");
    browser.wait_for("stage.solo === 3 && focused.ariaPressed == 'true'");
    // A key isn't taken for a press of the focused button.
    browser.press(" ");
    browser.wait_for("count(3, '/blocking', 'ok') == 1 && stage.solo === 3");
    for scheme in ["light", "dark"] {
        browser.look(1280, 720, scheme);
        for (text, ground, least) in [
            ("ink", "paper", 4.5),
            ("ink", "panel", 4.5),
            ("soft", "paper", 4.5),
            ("soft", "panel", 4.5),
            ("wait", "panel", 4.5),
            ("wait", "paper", 4.5),
            ("sent", "paper", 4.5),
            ("quick", "panel", 3.0),
        ] {
            let contrast = browser.contrast(text, ground);
            assert!(contrast >= least, "{text} on {ground}: {contrast}");
        }
    }
}

#[test]
fn the_outcome_is_hidden_until_the_class_has_guessed() {
    let Some(room) = slow() else { return };
    let browser = &mut enter(&room).browser;
    // How many points of the second lane have the colour of a request.
    let count = |browser: &mut Browser| {
        let points = browser.evaluate(
            "(() => {
                frame();
                const { axis } = stage.lanes[1];
                const colour = axis.colours.sent.match(/\\d+/g);
                const { width, height } = axis.canvas;
                const { data } = axis.pen.getImageData(0, 0, width, height);
                let points = 0;
                for (let at = 0; at < data.length; at += 4) {
                    points += colour.every((it, n) => data[at + n] == it);
                }
                return points;
            })()",
        );
        points.as_u64().unwrap()
    };
    browser.press("2");
    // What was sent before is still seen, and isn't hidden.
    browser.press("r");
    browser.press("p");
    browser.press(" ");
    browser.wait_for("count(1, '/blocking') == 1");
    assert_eq!(count(browser), 0);
    browser.wait_for("count(1, '/blocking', 'ok') == 1");
    assert_eq!(count(browser), 0);
    browser.press("p");
    assert!(count(browser) > 100);
    // It would scroll away by itself, but later.
    browser.press("r");
    assert_eq!(count(browser), 0);
}

#[test]
fn the_difference_opens_at_the_lesson_and_goes_back_to_its_lane() {
    let Some(room) = quick() else { return };
    let browser = &mut enter(&room).browser;
    browser.press("1");
    browser.press("d");
    browser.wait_for("note() == 'This lane has no step before it.'");
    let at_hunk = |caption: &str| {
        format!(
            "(() => {{
                const hunks = [...document.querySelectorAll('#diff-1-2 .hunk')];
                const hunk = hunks.find(it =>
                    it.querySelector('.caption').textContent == '{caption}');
                const title = document.querySelector('#diff-1-2 .title');
                const gap = hunk.getBoundingClientRect().top
                    - title.getBoundingClientRect().bottom;
                return Math.abs(gap) < 10;
            }})()"
        )
    };
    let shown = "location.pathname == '/difference.html' &&
        document.readyState == 'complete' &&
        document.querySelector('#diff-1-2 .hunk') !== null";
    let by_key = |browser: &mut Browser, key: &str| browser.press(key);
    let by_mouse = |browser: &mut Browser, key: &str| match key {
        "d" => click(browser, key),
        _ => browser.click(&format!("#diff-1-2 [data-key={key}]")),
    };
    for act in [by_key as fn(&mut Browser, &str), by_mouse] {
        browser.press("2");
        act(browser, "d");
        browser.wait_for(shown);
        // It opens at the function that is the lesson.
        browser.wait_for(&at_hunk("count_all"));
        act(browser, "ArrowRight");
        browser.wait_for(&at_hunk("spawn_worker"));
        act(browser, "ArrowLeft");
        browser.wait_for(&at_hunk("count_all"));
        browser.press("f");
        browser.wait_for("document.fullscreenElement !== null");
        browser.press("f");
        browser.wait_for("document.fullscreenElement === null");
        act(browser, "Escape");
        browser.wait_for("location.pathname == '/' && stage.solo === 1");
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn another_sites_page_can_send_nothing() {
    let Some(room) = quick() else { return };
    let url = enter(&room).stage.url.clone();
    let own = url.trim_start_matches("http://");
    let (_, port) = own.split_once(':').unwrap();
    // The status of the response.
    let ask = |line: &str, host: &str, origins: &[&str]| {
        let origins = origins.iter().map(|it| format!("Origin: {it}\r\n"));
        let origins: String = origins.collect();
        let mut stream = TcpStream::connect(own).unwrap();
        write!(stream, "{line} HTTP/1.1\r\nHost: {host}\r\n{origins}\r\n")
            .unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line[9..12].parse::<u16>().unwrap()
    };
    let send = |host: &str, origins: &[&str]| {
        ask("POST /send/all/cancel", host, origins)
    };
    let by_name = format!("localhost:{port}");
    assert_eq!(send(own, &[&url]), 204);
    assert_eq!(send(&by_name, &[&format!("http://{by_name}")]), 204);
    // Other sites, other ports, other schemes, pages of no site.
    for origin in [
        "http://example.com",
        &format!("http://example.com:{port}"),
        &format!("https://{own}"),
        &format!("http://{by_name}"),
        &format!("http://{own}.example.com"),
        &format!("{url}, {url}"),
        "http://127.0.0.1:1",
        "null",
        "",
    ] {
        assert_eq!(send(own, &[origin]), 404, "from {origin}");
    }
    assert_eq!(send(own, &[]), 404, "from nowhere");
    assert_eq!(send(own, &["http://example.com", &url]), 404, "from both");
    // A name of another site that leads here isn't ours.
    for host in [
        "example.com",
        &format!("example.com:{port}"),
        &format!("127.0.0.1.example.com:{port}"),
        &format!("example.com#@127.0.0.1:{port}"),
        &format!("0.0.0.0:{port}"),
        "",
    ] {
        assert_ne!(send(host, &[&format!("http://{host}")]), 204, "at {host}");
        for path in ["/", "/events", "/stage.js", "/difference.html"] {
            let status = ask(&format!("GET {path}"), host, &[]);
            assert!(matches!(status, 400 | 404), "{host}{path}: {status}");
        }
    }
    // A burst goes to one lane only.
    let burst = ask("POST /send/all/burst", own, &[&url]);
    assert_eq!(burst, 409);
    // What a link or a picture can send changes nothing.
    for method in ["GET", "HEAD", "OPTIONS"] {
        let line = format!("{method} /send/all/burst");
        assert_eq!(ask(&line, own, &[&url]), 404, "{method}");
    }
    let others = TcpStream::connect(format!("[::1]:{port}"));
    assert!(others.is_err(), "it listens on 127.0.0.1 only");
}

/// A lane that never finishes counting, killed, started again and ended.
#[cfg(target_os = "linux")]
#[test]
fn a_server_is_restarted_and_ended_whatever_it_does() {
    let forever = u64::MAX.to_string();
    let count = ["--iterations", &forever];
    let mut stage = Stage::with(&[&LANES[..], &count].concat());
    let Some(browser) = &mut tab() else { return };
    open(browser, &stage.url);
    let Some(mut other) = tab() else { return };
    open(&mut other, &stage.url);
    let spoken =
        "stage.lanes[0].root.querySelector('[role=status]').textContent";
    browser.press("1");
    for _ in 0..12 {
        browser.press(" ");
    }
    // More would overload the machine.
    browser.wait_for("count(0, '/blocking') == 10");
    browser.press(" ");
    browser.wait_for("note().startsWith('10 requests at most')");
    assert_eq!(browser.evaluate("count(0, '/blocking')"), 10);
    browser.wait_for("says(0).startsWith('frozen for ')");
    // Screen readers announce it, but not ten times a second.
    browser.wait_for(&format!("{spoken} == 'frozen'"));
    browser.press("n");
    browser.wait_for("says(0) == 'alive, cancelled'");
    browser.wait_for(&format!("{spoken} == 'alive, cancelled'"));

    // Every browser shows a server that has died, even after a reload.
    let step = |stage| {
        let servers = servers(stage, 2);
        servers.into_iter().find(|it| it.1 == "step1-blocking").unwrap().0
    };
    kill_process(step(&stage), Signal::KILL).unwrap();
    let ended = "says(0).startsWith('ended: signal: 9')";
    browser.wait_for(ended);
    other.wait_for(ended);
    browser.evaluate("window.isOld = true; location.reload()");
    browser.wait_for("!window.isOld && window.stage?.solo === 0");
    browser.wait_for(ended);
    // The others continue, for both.
    browser.press("2");
    browser.press("w");
    for browser in [&mut *browser, &mut other] {
        browser.wait_for("count(1, '/waiting', 'ok') == 1");
        assert_eq!(browser.evaluate("stage.lanes[0].about.state"), "ended");
    }
    browser.press("1");
    browser.press("n");
    browser.wait_for("says(0).startsWith('alive')");

    // In the middle of a burst, whose requests are short ones.
    browser.press("b");
    browser.wait_for(
        "count(0, '/blocking', 'ok') > 0 && sent(0, '/blocking').length == 110
            && stage.lanes[0].root.querySelector('.idea').textContent
                .startsWith('for the burst, /blocking counts to ')",
    );
    let servers = servers(&stage, 2);
    stage.send(Signal::INT);
    stage.process.wait().unwrap();
    for (server, name) in servers {
        let left = test_kill_process(server).is_ok();
        assert!(!left, "{name} still runs");
    }
    browser.wait_for("note().startsWith(`The stage doesn't answer.`)");
}

#[cfg(target_os = "linux")]
#[test]
fn no_server_is_left_running_after_other_signals() {
    for signal in [Signal::TERM, Signal::HUP] {
        let node = if harness::has_node() { "--node" } else { "--two-workers" };
        let mut stage = Stage::with(&["--only", "step2-single-worker", node]);
        let servers = servers(&stage, if node == "--node" { 4 } else { 2 });
        stage.send(signal);
        stage.process.wait().unwrap();
        for (server, name) in servers {
            let left = test_kill_process(server).is_ok();
            assert!(!left, "{name} still runs after {signal:?}");
        }
    }
}

#[test]
fn all_lanes_are_sent_to_at_the_same_time_and_a_turn_can_be_cancelled() {
    let Some(room) = slow() else { return };
    let browser = &mut enter(&room).browser;
    // The first two lanes' last requests.
    let both = |path: &str, what: &str| {
        format!(
            "(([a, b]) => {what})([0, 1].map(lane => latest(lane, '{path}')))"
        )
    };
    browser.press(" ");
    browser.wait_for(&both("/blocking", "a.end > 0 && b.end > 0"));
    let together = both("/blocking", "a.at < b.end && b.at < a.end");
    assert_eq!(browser.evaluate(&together), true);

    // To cancel one lane gives the turn to the next, to cancel all ends it.
    browser.press("t");
    browser.press("w");
    browser.wait_for(&both("/waiting", "a && !a.end && !b"));
    browser.press("1");
    browser.press("c");
    browser.wait_for(&both(
        "/waiting",
        "a.outcome == 'cancelled' && b.at >= a.end && !b.end",
    ));
    browser.press("0");
    browser.press("t");
    browser.press("c");
    browser.wait_for(&both("/waiting", "b.outcome == 'cancelled'"));
    browser.press("w");
    browser.wait_for(&both("/waiting", "a.at > b.end && !a.end"));
    browser.press("c");
    browser.wait_for(&both("/waiting", "a.outcome == 'cancelled'"));
    // Something later is here, and no other turn.
    browser.wait_for(
        "latest(0, '/non-blocking').at > latest(0, '/waiting').end + 200",
    );
    assert_eq!(browser.evaluate("count(1, '/waiting')"), 1);
}

#[test]
fn a_burst_is_partly_refused_and_a_cancelled_request_frees_its_slot() {
    let Some(room) = slow() else { return };
    let browser = &mut enter(&room).browser;
    browser.press("7");
    browser.press("b");
    browser.wait_for(
        "count(2, '/blocking') == 100 && count(2, '/blocking', 'refused') > 0
            && /^alive, \\d+ of 100 refused$/.test(says(2))",
    );
    browser.press("c");
    browser.wait_for("sent(2, '/blocking').every(it => it.end)");
    // Nothing is in flight: from now on, requests count as far as usual.
    browser.press(" ");
    browser.wait_for(
        "count(2, '/blocking') == 101
            && latest(2, '/blocking').outcome == 'ok'",
    );
    // What is cancelled leaves its place: 8 fit in.
    for _ in 0..8 {
        browser.press(" ");
    }
    browser.wait_for("sent(2, '/blocking').slice(101).length == 8");
    browser.press("c");
    browser.wait_for("sent(2, '/blocking').every(it => it.end)");
    browser.press(" ");
    browser.wait_for(
        "count(2, '/blocking') == 110
            && latest(2, '/blocking').outcome == 'ok'",
    );
}

#[cfg(target_os = "linux")]
#[test]
fn each_thread_has_a_row_that_stays_as_long_as_its_bar() {
    let Some(room) = slow() else { return };
    let browser = &mut enter(&room).browser;
    browser.evaluate(
        "window.rows = () => groupsOf(stage.lanes[1], now() - SPAN)
            .map(([name, strips]) => `${strips.length} ${name}`).join()",
    );
    browser.press("r");
    browser.wait_for("rows() == '1 server'");
    browser.press("2");
    browser.wait_for("rows() == '1 server,1 main,1 signals,1 accepts'");
    browser.press(" ");
    browser.wait_for("count(1, '/blocking', 'ok') == 1");
    // The worker thread has ended, and its work is still shown.
    browser.wait_for(
        "(it => it.to < stage.lanes[1].looked
            && it.pieces.some(piece => piece.ran > 0))(
            [...stage.lanes[1].threads.values()]
                .find(it => it.name == 'worker'))",
    );
    let rows = "1 server,1 worker,1 main,1 signals,1 accepts";
    assert_eq!(browser.evaluate("rows()"), rows);
    // A later one takes the same row.
    browser.press(" ");
    browser.wait_for("count(1, '/blocking', 'ok') == 2");
    assert_eq!(browser.evaluate("rows()"), rows);
    browser.evaluate("stage.settings.has_threads = false");
    browser.wait_for("note().includes(`doesn't report what threads do`)");
    browser.evaluate("stage.settings.has_threads = true");
}

/// The keys of the 50-minute class, in the order of its table.
fn keys_of_the_class() -> Vec<String> {
    let chapter = harness::workspace().join("docs/chapters/teaching.md");
    let chapter = fs::read_to_string(chapter).unwrap();
    let (_, table) = chapter.split_once("## A 50-minute class").unwrap();
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
        ("w", "count(0, '/waiting') == 1"),
        ("space", "count(0, '/blocking', 'ok') == 2"),
        // It takes its time, and the page forgets it when it is left.
        ("1", "stage.solo === 3 && count(0, '/waiting', 'ok') == 1"),
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
    let Some(room) = quick() else { return };
    let browser = &mut enter(&room).browser;
    for (key, state) in lesson {
        browser.press(match key {
            "space" => " ",
            "→" => "ArrowRight",
            "Esc" => "Escape",
            key => key,
        });
        browser.wait_for(state);
        browser.wait_for("document.readyState == 'complete'");
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn a_machine_is_ready_when_everything_the_class_needs_answers() {
    let ready = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
        command.args(["--ready", "--only", "step1-blocking"]);
        command.args(arguments).output().unwrap()
    };
    let good = ready(&[]);
    assert!(good.status.success(), "{good:?}");
    assert_eq!(good.stdout, b"ready: 2 servers start and answer\n");
    let bad = ready(&["--url", "gone=http://127.0.0.1:9"]);
    assert_eq!(bad.status.code(), Some(1), "{bad:?}");
    assert_eq!(bad.stdout, b"not ready: 1 of 3 servers\n");
    let said = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert!(said.contains("gone: "), "{said}");
}

/// A server that has one page, for as long as it answers at all.
fn peer(answers: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let head = BufReader::new(&stream).lines().map_while(Result::ok);
            head.take_while(|line| !line.is_empty()).count();
            if answers.load(Ordering::Relaxed) {
                let page = "HTTP/1.1 200 OK\r\n\r\nThis page is non-blocking";
                stream.write_all(page.as_bytes()).ok();
            }
        }
    });
    peer
}

#[test]
fn lanes_of_node_and_of_peers_are_seen_and_reached_and_come_back() {
    if !harness::has_node() {
        return;
    }
    let answers = Arc::new(AtomicBool::new(true));
    let address = peer(answers.clone());
    let name = "a name that is far too long for its place on the page";
    let peers = (1..=5).map(|n| format!("--url=peer {n}=http://{address}"));
    let last = format!("--url={name}=http://{address}");
    let peers: Vec<_> = peers.chain([last]).collect();
    let peers = peers.iter().map(String::as_str);
    let arguments = ["--node", "--iterations=1000", "--only=step1-blocking"];
    let arguments: Vec<_> = arguments.into_iter().chain(peers).collect();
    let stage = Stage::with(&arguments);
    let Some(browser) = &mut tab() else { return };
    open(browser, &stage.url);
    let names = "stage.lanes.slice(1, 4).map(lane => lane.about.name)";
    assert_eq!(browser.evaluate(names), serde_json::json!(NODE));
    let all_seen = "stage.lanes.every(lane =>
        lane.button.getBoundingClientRect().bottom <= innerHeight)";
    assert_eq!(browser.evaluate(all_seen), true);
    browser.press("ArrowUp");
    browser.wait_for("stage.solo === 9 && location.hash.length > 20");
    browser.press(" ");
    browser.wait_for("count(9, '/blocking', 'ok') == 1");
    browser.press("b");
    browser.wait_for("/the stage has started/.test(note())");
    browser.evaluate("window.isOld = true; location.reload()");
    browser.wait_for("!window.isOld && window.stage?.lanes.length == 10");
    browser.wait_for("stage.solo === 9");
    assert_eq!(browser.evaluate("stage.lanes[9].about.name"), name);

    answers.store(false, Ordering::Relaxed);
    browser.wait_for("says(9).startsWith('no answer: ')");
    answers.store(true, Ordering::Relaxed);
    browser.wait_for("says(9) == 'alive'");

    browser.press("0");
    browser.click("section:nth-of-type(10) button");
    browser.wait_for("stage.solo === 9");
    // Two lanes are those of step 1, and one each those of steps 2 and 3.
    for (key, lane) in [("1", 0), ("1", 1), ("2", 2), ("3", 3)] {
        browser.press(key);
        browser.wait_for(&format!("stage.solo === {lane}"));
        browser.press(" ");
        let ok = format!("count({lane}, '/blocking', 'ok') == 1");
        browser.wait_for(&ok);
    }
    browser.press("d");
    browser.wait_for("note() == 'This lane has no step before it.'");
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn with_reduced_motion_there_is_one_picture_a_second() {
    let Some(room) = quick() else { return };
    let browser = &mut enter(&room).browser;
    // How long each picture was seen.
    let watch = "
        if (!window.drawn) {
            const { clearRect } = CanvasRenderingContext2D.prototype;
            CanvasRenderingContext2D.prototype.clearRect = function (...box) {
                if (this.canvas == stage.lanes[0].axis.canvas) {
                    drawn.push(performance.now());
                }
                clearRect.apply(this, box);
            };
        }
        window.drawn = [];
        window.seen = () => drawn.slice(1).map((it, n) => it - drawn[n])";
    browser.evaluate(watch);
    browser.wait_for("seen().some(it => it < 500)");
    browser.little_motion();
    browser.wait_for("still.matches");
    browser.evaluate(watch);
    browser.wait_for("drawn.length > 2");
    let quick = browser.evaluate("seen().some(it => it < 900)");
    assert_eq!(quick, false, "{}", browser.evaluate("seen()"));
}
