//! The stage, in a real browser: by the data that its page holds.

#![cfg(unix)]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use compare::options::NODE;
use harness::{Browser, Server};
use rustix::process::{Pid, Signal, kill_process, test_kill_process_group};
use serde_json::json;

/// A running stage and its servers, a process group.
struct Stage {
    process: Child,
    url: String,
}

impl Stage {
    fn with(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_compare"))
            .args(["--live", "--live-port", "0", "--threads", "2"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let url = line.split(' ').find(|it| it.starts_with("http://"));
        let url = url.expect(&line).to_owned();
        Self { process, url }
    }

    /// None of its servers is left.
    fn end(&mut self, signal: Signal) {
        let id = Pid::from_child(&self.process);
        kill_process(id, signal).unwrap();
        self.process.wait().unwrap();
        let left = test_kill_process_group(id);
        assert!(left.is_err(), "a server still runs after {signal:?}");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            // Don't kill it: that would leave the steps running.
            self.end(Signal::INT);
        }
    }
}

/// For a lane: the requests to a path, the last of them, how many have that
/// outcome, and the lane's state. None is forgotten, however slow the machine is.
/// And how many streams of events the tab has open.
const HELPERS: &str = "
    EventSource = class extends EventSource {
        constructor(url) {
            super(url);
            sessionStorage.streams = Number(sessionStorage.streams ?? 0) + 1;
        }
        close() {
            super.close();
            sessionStorage.streams -= 1;
        }
    };
    addEventListener('DOMContentLoaded', () => {
        if (window.stage) stage.keeps = Infinity;
    });
    window.sent = (lane, path) => [...stage.lanes[lane].requests.values()]
        .filter(it => it.path == path);
    window.latest = (lane, path) => sent(lane, path).at(-1);
    window.count = (lane, path, outcome) => sent(lane, path)
        .filter(it => !outcome || it.outcome == outcome).length;
    window.read = (lane, part) => {
        frame();
        return stage.lanes[lane].root.querySelector(part).textContent;
    };
    window.says = lane => read(lane, '.state');
    window.isPressed = key =>
        document.querySelector(`[data-key=${key}]`).ariaPressed == 'true';
    window.isAt = caption => {
        const part = document.getElementById('diff-1-2');
        const hunk = [...(part?.querySelectorAll('.hunk') ?? [])].find(it =>
            it.querySelector('.caption').textContent == caption);
        const title = part?.querySelector('.title').getBoundingClientRect();
        return Math.abs(hunk?.getBoundingClientRect().top - title.bottom) < 10;
    };";

/// A stage and its page, once all lanes are probed. Nothing where there is no
/// browser.
fn stage(arguments: &[&str]) -> Option<(Stage, Browser)> {
    let mut browser = Browser::start()?;
    browser.before_scripts(HELPERS);
    browser.look(1280, 720, "light");
    // Drawing costs more than everything else here.
    browser.little_motion();
    let stage = Stage::with(arguments);
    browser.open(&stage.url);
    browser.wait_for(
        "stage.lanes.length > 0 && stage.lanes.every(lane =>
            lane.about.state == 'runs' && lane.requests.size > 5)",
    );
    Some((stage, browser))
}

/// The lanes of the class of 50 minutes, and step 7.
const CLASS: [&str; 3] = [
    "--two-workers",
    "--only",
    "step1-blocking,step2-single-worker,step3-multi-worker,step7-cancellation",
];

/// How to get from one state to the next: a key's name, and what is true after
/// it. It begins with the 50-minute class.
const STATES: [(&str, &str); 45] = [
    ("1", "stage.solo === 0 && stage.lanes[1].root.hidden"),
    ("space", "count(0, '/blocking', 'ok') == 1"),
    ("r", "stage.cleared > latest(0, '/blocking').at"),
    ("w", "count(0, '/waiting') == 1 && count(1, '/waiting') == 0"),
    ("space", "count(0, '/blocking', 'ok') == 2"),
    // The other lane of step 1.
    ("1", "stage.solo === 4 && stage.lanes[0].root.hidden"),
    ("p", "stage.guess !== null && isPressed('p') && says(4) == '?'"),
    ("space", "count(4, '/blocking', 'ok') == 1"),
    ("p", "stage.guess === null && !isPressed('p') && says(4) == 'alive'"),
    ("2", "stage.solo === 1 && stage.lanes[0].root.hidden"),
    ("space", "count(1, '/blocking', 'ok') == 1"),
    // It opens at the function that is the lesson.
    ("d", "location.hash == '#diff-1-2' && isAt('count_all')"),
    ("→", "isAt('spawn_worker')"),
    ("Esc", "location.pathname == '/' && stage.solo === 1"),
    ("p", "stage.guess !== null"),
    ("x", "count(1, '/failing', '500') == 1"),
    ("p", "says(1) == 'alive, failed (500)'"),
    ("0", "stage.solo === null && !stage.lanes[0].root.hidden"),
    ("t", "stage.turns && isPressed('t')"),
    (
        "space",
        "latest(4, '/blocking')?.end && [1, 2, 3, 4].every(lane =>
            latest(lane, '/blocking').at >= latest(lane - 1, '/blocking').end)",
    ),
    // To cancel one lane gives the turn to the next, to cancel all ends it.
    ("w", "latest(0, '/waiting') && !latest(0, '/waiting').end"),
    ("1", "stage.solo === 0"),
    ("d", "note() == 'This lane has no step before it.'"),
    (
        "c",
        "latest(0, '/waiting').outcome == 'cancelled'
            && latest(1, '/waiting').end === undefined",
    ),
    ("0", "stage.solo === null && !stage.turns && !isPressed('t')"),
    ("t", "stage.turns"),
    ("c", "latest(1, '/waiting').outcome == 'cancelled'"),
    (
        "t",
        "!stage.turns && !latest(2, '/waiting') &&
            latest(2, '/non-blocking').at > latest(1, '/waiting').end + 200",
    ),
    ("b", "/one lane/.test(note()) && requestsOf(stage.lanes[1]) == 0"),
    ("9", "note() == `Step 9 isn't on this stage.`"),
    ("7", "stage.solo === 3 && !stage.refused"),
    ("w", "latest(3, '/waiting') && !latest(3, '/waiting').end"),
    (
        "n",
        "latest(3, '/waiting').outcome == 'cancelled'
            && stage.lanes[3].about.state == 'runs'",
    ),
    (
        "b",
        "count(3, '/blocking', '503') > 0
            && sent(3, '/blocking').every(it => it.end)
            && /^alive, \\d+ of 100 refused$/.test(says(3))",
    ),
    // From now on, requests count as far as usual.
    ("space", "latest(3, '/blocking').outcome == 'ok' && says(3) == 'alive'"),
    ("↓", "stage.solo === 4 && location.hash == '#two-workers'"),
    ("↓", "stage.solo === null && !stage.lanes[1].root.hidden"),
    ("↑", "stage.solo === 4 && stage.lanes[0].root.hidden"),
    ("m", "location.pathname == '/moves.html'"),
    ("Esc", "location.pathname == '/' && stage.solo === 4"),
    ("f", "document.fullscreenElement !== null"),
    ("f", "document.fullscreenElement === null"),
    ("?", "document.getElementById('help').open"),
    ("Esc", "!document.getElementById('help').open"),
    // What was left has closed its own.
    ("r", "sessionStorage.streams == 1"),
];

#[test]
fn each_key_leads_to_the_next_state() {
    // For a tenth of a second.
    let arguments = [&CLASS[..], &["--iterations", "200000000"]].concat();
    let Some((mut stage, mut browser)) = stage(&arguments) else { return };
    let chapter = harness::workspace().join("docs/chapters/teaching.md");
    let chapter = fs::read_to_string(chapter).unwrap();
    let (_, class) = chapter.split_once("## A 50-minute class").unwrap();
    let (class, _) = class.split_once("\n## ").unwrap();
    let keys = class.split("<kbd>").skip(1);
    let keys = keys.map(|it| it.split_once("</kbd>").unwrap().0);
    let keys: Vec<_> = keys.collect();
    assert!(STATES.map(|it| it.0).starts_with(&keys), "the class: {keys:?}");
    for (key, state) in STATES {
        browser.press(match key {
            "space" => " ",
            "→" => "ArrowRight",
            "↓" => "ArrowDown",
            "↑" => "ArrowUp",
            "Esc" => "Escape",
            key => key,
        });
        let loaded = "document.readyState == 'complete'";
        browser.wait_for(&format!("{loaded} && ({state})"));
    }
    assert_eq!(browser.console_errors(), [""; 0]);
    stage.end(Signal::TERM);
    browser.wait_for("note().startsWith(`The stage doesn't answer.`)");
}

#[test]
fn what_a_class_sees_can_be_reached_read_and_guessed() {
    let arguments = [&CLASS[..], &["--iterations", "1000"]].concat();
    let Some((stage, mut browser)) = stage(&arguments) else { return };
    let browser = &mut browser;
    the_outcome_is_hidden_until_the_class_has_guessed(browser);
    a_mouse_and_the_keyboard_reach_every_button(browser);
    with_reduced_motion_there_is_one_picture_a_second(browser);
    each_thread_has_a_row_that_stays_as_long_as_its_bar(browser);
    words_and_marks_tell_why_nothing_comes(browser);
    every_text_can_be_read(browser);
    assert_eq!(browser.console_errors(), [""; 0]);
    another_sites_page_can_send_nothing(&stage.url);
}

fn a_mouse_and_the_keyboard_reach_every_button(browser: &mut Browser) {
    let lane = "section:nth-of-type(2) button";
    browser.click(lane);
    browser.wait_for("stage.solo === 1");
    browser.click(lane);
    browser.wait_for("stage.solo === null");
    // Each button in turn, and the focus can be seen.
    let buttons = browser.evaluate(
        "document.body.tabIndex = -1;
        document.body.focus();
        [...document.querySelectorAll('nav button, h2 button')]
            .map(it => it.textContent)",
    );
    let reached = "focused = document.activeElement;
        parseFloat(getComputedStyle(focused).outlineWidth) >= 2
            && focused.textContent";
    for button in buttons.as_array().unwrap() {
        browser.press("Tab");
        assert_eq!(browser.evaluate(reached), *button);
    }
    assert_eq!(browser.evaluate("focused.textContent"), "1 two workers");
    browser.press("Enter");
    browser.wait_for("stage.solo === 4 && focused.ariaPressed == 'true'");
    // A key isn't taken for a press of the focused button.
    browser.press(" ");
    browser.wait_for("count(4, '/blocking', 'ok') == 1 && stage.solo === 4");
    // Each button is another way to press its key.
    let pressed = "(() => {
            const [all, clicked] = [{ ...keys }, []];
            for (const key in all) keys[key] = () => clicked.push(key);
            const buttons = [...document.querySelectorAll('nav [data-key]')];
            buttons.forEach(it => it.click());
            Object.assign(keys, all);
            return clicked.join() == buttons.map(it => it.dataset.key).join();
        })()";
    assert_eq!(browser.evaluate(pressed), true);
}

fn every_text_can_be_read(browser: &mut Browser) {
    for scheme in ["dark", "light"] {
        browser.look(1280, 720, scheme);
        for text in ["ink", "soft", "wait", "sent", "quick"] {
            for ground in ["paper", "panel"] {
                let contrast = browser.contrast(text, ground);
                assert!(contrast >= 4.5, "{text} on {ground}: {contrast}");
            }
        }
    }
}

fn the_outcome_is_hidden_until_the_class_has_guessed(browser: &mut Browser) {
    // Whether the second lane has points in the colour of a request.
    let seen = "(() => {
            frame();
            const { axis } = stage.lanes[1];
            const colour = axis.colours.sent.match(/\\d+/g);
            const { width, height } = axis.canvas;
            const { data } = axis.pen.getImageData(0, 0, width, height);
            const isSent = at => colour.every((it, n) => data[at + n] == it);
            return data.some((_, at) => at % 4 == 0 && isSent(at));
        })()";
    browser.press("2");
    browser.press("p");
    browser.press(" ");
    browser.wait_for("count(1, '/blocking', 'ok') == 1");
    assert_eq!(browser.evaluate(seen), false);
    // It waits at the edge, however long the class thinks.
    browser.evaluate(
        "stage.guess = stage.held -= 20000;
        stage.cleared -= 20000;
        latest(1, '/blocking').at -= 20000;
        latest(1, '/blocking').end -= 20000;
        stage.keeps = 16000;
        before = stage.heard",
    );
    browser.wait_for("stage.heard > before");
    assert_eq!(browser.evaluate(seen), false);
    browser.press("p");
    assert_eq!(browser.evaluate(seen), true);
    browser.press("0");
    assert_eq!(browser.evaluate(seen), false);
}

fn with_reduced_motion_there_is_one_picture_a_second(browser: &mut Browser) {
    let pause = "(() => {
            let pauses = [];
            const original = setTimeout;
            setTimeout = (_, pause) => pauses.push(pause);
            animate(() => {}, 66);
            setTimeout = original;
            return pauses[0];
        })()";
    assert_eq!(browser.evaluate(pause), 1000);
    browser.look(1280, 720, "light");
    browser.wait_for("!calm.matches");
    assert_eq!(browser.evaluate(pause), 66);
    browser.little_motion();
}

fn each_thread_has_a_row_that_stays_as_long_as_its_bar(browser: &mut Browser) {
    browser.evaluate(
        "window.rows = start => groupsOf(stage.lanes[1], start)
            .map(([name, strips]) => `${strips.length} ${name}`).join();
        opened = now();",
    );
    browser.press("2");
    if cfg!(target_os = "linux") {
        let all = "rows(opened) == '1 server,1 main,1 signals,1 accepts'";
        browser.wait_for(all);
    }
    // A worker thread that has ended before the third look, and a later one.
    let rows = browser.evaluate(
        "(() => {
            const look = handlers.threads;
            handlers.threads = () => {};
            const [lane, start] = [stage.lanes[1], now()];
            lane.threads.clear();
            lane.looked = null;
            const [main, server] = [[1, 'main', 0, 0], [2, 'server', 0.01, 0]];
            const after = (time, ...workers) => {
                look(1, start + time, [main, server, ...workers]);
                return rows(start);
            };
            return [
                after(100),
                after(200, [3, 'worker', 1, 0]),
                after(300),
                after(400, [4, 'worker', 0.5, 0.5]),
                after(500, [4, 'worker', 1, 0], [5, 'worker', 0, 1]),
            ];
        })()",
    );
    let one = "1 server,1 worker,1 main";
    let two = "1 server,2 worker,1 main";
    assert_eq!(rows, json!(["1 server,1 main", one, one, one, two]));
    browser.evaluate("stage.settings.has_threads = false");
    browser.wait_for("note().includes(`doesn't report what threads do`)");
}

fn words_and_marks_tell_why_nothing_comes(browser: &mut Browser) {
    // A server thread that gets no core: it's a lane's word only if the lane's
    // other threads have the cores.
    let words = browser.evaluate(
        "(() => {
            const thread = (name, ran, waited) =>
                [name, { name, pieces: [{ to: stage.heard, ran, waited }] }];
            const server = thread('server', 1, 20);
            const lanes = [[server], [server, thread('worker', 9, 90)],
                [thread('server', 9, 20), thread('worker', 9, 90)]];
            return lanes.map(all => wantsCore({ threads: new Map(all) }));
        })()",
    );
    assert_eq!(words, json!([false, true, false]));
    // A probe that got an error is marked, whichever it was.
    let drawn = browser.evaluate(
        "['500', '503', 'failed', 'cancelled'].map(outcome => {
            let drawn = '';
            const axis = { em: 1, x: at => at, text: it => drawn = it,
                bar: () => drawn = 'bar' };
            drawProbe(axis, 0, 1, outcome, 10, () => 0);
            return drawn;
        })",
    );
    assert_eq!(drawn, json!(["✕", "✕", "✕", ""]));
}

fn another_sites_page_can_send_nothing(url: &str) {
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
    let cancel = "POST /send/all/cancel";
    let by_name = format!("localhost:{port}");
    assert_eq!(ask(cancel, own, &[url]), 204);
    assert_eq!(ask(cancel, &by_name, &[&format!("http://{by_name}")]), 204);
    // Other sites, other ports, other schemes, pages of no site.
    for origins in [
        &["http://example.com"][..],
        &[&format!("https://{own}")],
        &[&format!("http://{own}.example.com")],
        &["http://127.0.0.1:1"],
        &[],
        &["http://example.com", url],
    ] {
        assert_eq!(ask(cancel, own, origins), 404, "from {origins:?}");
    }
    // A name of another site that leads here isn't ours.
    for host in [&*format!("127.0.0.1.example.com:{port}"), ""] {
        let origin = format!("http://{host}");
        assert_ne!(ask(cancel, host, &[&origin]), 204, "at {host}");
        for path in ["/", "/events", "/difference.html"] {
            let status = ask(&format!("GET {path}"), host, &[]);
            assert!(matches!(status, 400 | 404), "{host}{path}: {status}");
        }
    }
    // What a link or a picture can send changes nothing.
    assert_eq!(ask("GET /send/all/cancel", own, &[url]), 404);
    let others = TcpStream::connect(format!("[::1]:{port}"));
    assert!(others.is_err(), "it listens on 127.0.0.1 only");
}

/// Lanes that never finish counting, killed, started again and ended.
#[test]
fn a_server_is_frozen_restarted_and_ended_whatever_it_does() {
    let forever = u64::MAX.to_string();
    let steps = "step1-blocking,step2-single-worker";
    let lanes = ["--iterations", &forever, "--two-workers", "--only", steps];
    let Some((mut stage, mut browser)) = stage(&lanes) else { return };
    browser.press(" ");
    // Of two server threads, the other answers until all the probes' connections
    // wait for the first.
    browser.wait_for("says(2).startsWith('partly frozen for ')");
    browser.wait_for("/^frozen for \\d+\\.\\d s$/.test(says(0))");
    browser.wait_for("says(1) == 'alive'");
    // Screen readers announce it, but not ten times a second.
    assert_eq!(browser.evaluate("read(0, '[role=status]')"), "frozen");

    // More would overload the machine.
    browser.press("1");
    for _ in 0..11 {
        browser.press(" ");
    }
    browser.wait_for("count(0, '/blocking') == 10");
    browser.press(" ");
    browser.wait_for("note().startsWith('10 requests at most')");
    assert_eq!(browser.evaluate("count(0, '/blocking')"), 10);
    browser.press("0");
    browser.press("n");
    browser
        .wait_for("[0, 1, 2].every(lane => says(lane) == 'alive, cancelled')");

    // A server that has died is seen, even after a reload.
    let mut kill = Command::new("pkill");
    kill.args(["-KILL", "-P", &stage.process.id().to_string(), "step1"]);
    assert!(kill.status().unwrap().success());
    browser.press("1");
    browser.wait_for("says(0).startsWith('ended: signal: 9')");
    browser.evaluate("window.isOld = true; location.reload()");
    browser.wait_for("!window.isOld && window.stage?.solo === 0");
    browser.wait_for("says(0).startsWith('ended: signal: 9')");
    // The others continue.
    browser.press("2");
    browser.press("x");
    browser.wait_for("count(1, '/failing', '500') == 1");
    browser.press("1");
    browser.press("n");
    browser.wait_for("says(0).startsWith('alive')");

    // In the middle of a burst, whose requests are short ones.
    browser.press("b");
    browser.wait_for(
        "count(0, '/blocking', 'ok') > 0 && count(0, '/blocking') >= 100
            && read(0, '.idea')
                == 'for the burst, /blocking counts to 100 million'",
    );
    stage.end(Signal::INT);
}

#[test]
fn lanes_of_node_and_of_peers_are_seen_and_reached_and_come_back() {
    if !harness::has_node() {
        return;
    }
    let program = harness::program("step1-blocking").unwrap();
    let mut command = harness::command(program);
    let peer = Server::start(command.env("ITERATIONS", "1000")).unwrap();
    let name = "a name that is far too long for its place on the page";
    let names = ["p1", "p2", "p3", "p4", "p5", name];
    let peers = names.map(|it| format!("--url={it}={}", peer.url()));
    let arguments = ["--node", "--iterations=1000", "--only=step1-blocking"];
    let peers = peers.iter().map(String::as_str);
    let arguments: Vec<_> = arguments.into_iter().chain(peers).collect();
    let Some((mut stage, mut browser)) = stage(&arguments) else { return };
    let names = "stage.lanes.slice(1, 4).map(lane => lane.about.name)";
    assert_eq!(browser.evaluate(names), json!(NODE));
    let all_seen =
        "stage.lanes.every(({ root }) => root.querySelector('button')
        .getBoundingClientRect().bottom <= innerHeight)";
    assert_eq!(browser.evaluate(all_seen), true);
    browser.press("ArrowUp");
    browser.wait_for("stage.solo === 9 && location.hash.length > 20");
    browser.press(" ");
    browser.wait_for("count(9, '/blocking', 'ok') == 1");
    browser.press("b");
    browser.wait_for("/the stage has started/.test(note())");
    assert_eq!(browser.evaluate("stage.lanes[9].about.name"), name);

    let port = peer.url().rsplit(':').next().unwrap().to_owned();
    peer.kill();
    browser.wait_for("says(9).startsWith('no answer: ')");
    let _peer = Server::start(command.env("PORT", port)).unwrap();
    browser.wait_for("says(9) == 'alive'");

    // Two lanes are those of step 1, and one each those of steps 2 and 3.
    for (key, lane) in [("1", 0), ("1", 1), ("2", 2), ("3", 3)] {
        browser.press(key);
        browser.wait_for(&format!("stage.solo === {lane}"));
        browser.press(" ");
        browser.wait_for(&format!("count({lane}, '/blocking', 'ok') == 1"));
    }
    assert_eq!(browser.console_errors(), [""; 0]);
    stage.end(Signal::HUP);
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
    assert!(said.contains("gone failed"), "{said}");
}
