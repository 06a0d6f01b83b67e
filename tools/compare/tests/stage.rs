//! The stage, in a real browser: by the data that its page holds.

#![cfg(unix)]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use compare::options::NODE;
use harness::Browser;
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

/// For a lane: the requests the test has sent to a path, the last of them, and
/// how many have that outcome. None is forgotten, however slow the machine is.
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
    window.sent = (lane, path) => {
        const before = JSON.parse(sessionStorage.before ?? '[]')[lane] ?? -1;
        return [...stage.lanes[lane].requests]
            .filter(([id, it]) => id > before && it.path == path)
            .map(([, it]) => it);
    };
    window.latest = (lane, path) => sent(lane, path).at(-1);
    window.count = (lane, path, outcome) => sent(lane, path)
        .filter(it => !outcome || it.outcome == outcome).length;
    window.says = lane => {
        show(stage.lanes[lane]);
        return stage.lanes[lane].state.textContent;
    };
    window.isPressed = key =>
        document.querySelector(`[data-key=${key}]`).ariaPressed == 'true';
    window.isAt = caption => {
        const part = document.getElementById('diff-1-2');
        const hunk = [...(part?.querySelectorAll('.hunk') ?? [])].find(it =>
            it.querySelector('.caption').textContent == caption);
        const title = part?.querySelector('.title').getBoundingClientRect();
        return Math.abs(hunk?.getBoundingClientRect().top - title.bottom) < 10;
    };";

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
    // Drawing costs more than everything else here.
    browser.little_motion();
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

/// Its lanes are those of the class of 50 minutes, and step 7; they count for a
/// tenth of a second.
#[test]
fn a_stage_is_taught_with() {
    let steps = "step1-blocking,step2-single-worker,step3-multi-worker,\
                 step7-cancellation";
    let count = ["--iterations", "200000000"];
    let lanes = ["--two-workers", "--only", steps];
    let Some(browser) = &mut tab() else { return };
    let mut stage = Stage::with(&[&count[..], &lanes[..]].concat());
    for part in [
        each_key_leads_to_the_next_state,
        everything_is_reached_by_mouse_and_by_keyboard_and_read_aloud,
        the_outcome_is_hidden_until_the_class_has_guessed,
        each_thread_has_a_row_that_stays_as_long_as_its_bar,
        with_reduced_motion_there_is_one_picture_a_second,
    ] {
        open(browser, &stage.url);
        part(browser);
        assert_eq!(browser.console_errors(), [""; 0]);
    }
    another_sites_page_can_send_nothing(&stage.url);
    stage.end(Signal::TERM);
    browser.wait_for("note().startsWith(`The stage doesn't answer.`)");
}

fn each_key_leads_to_the_next_state(browser: &mut Browser) {
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
}

fn everything_is_reached_by_mouse_and_by_keyboard_and_read_aloud(
    browser: &mut Browser,
) {
    let lane = "section:nth-of-type(2) button";
    browser.click(lane);
    browser.wait_for("stage.solo === 1");
    browser.click(lane);
    browser.wait_for("stage.solo === null");
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
    let names = [
        "1 blocking",
        "2 single worker",
        "3 multi worker",
        "7 cancellation",
        "1 two workers",
    ];
    let lanes = &buttons[buttons.len() - names.len()..];
    assert!(lanes.iter().map(|it| &it[0]).eq(names));
    browser.evaluate("document.body.tabIndex = -1; document.body.focus()");
    for button in buttons {
        browser.press("Tab");
        assert_eq!(browser.evaluate(reached), *button);
    }
    browser.press("Enter");
    browser.wait_for("stage.solo === 4 && focused.ariaPressed == 'true'");
    // A key isn't taken for a press of the focused button.
    browser.press(" ");
    browser.wait_for("count(4, '/blocking', 'ok') == 1 && stage.solo === 4");
    for scheme in ["light", "dark"] {
        browser.look(1280, 720, scheme);
        for text in ["ink", "soft", "wait", "sent", "quick"] {
            for ground in ["paper", "panel"] {
                let contrast = browser.contrast(text, ground);
                assert!(contrast >= 4.5, "{text} on {ground}: {contrast}");
            }
        }
    }
    // Each button is another way to press its key.
    let keys = browser.evaluate(
        "clicked = [];
        for (const key in keys) keys[key] = () => clicked.push(key);
        [...document.querySelectorAll('nav [data-key]')]
            .map(it => it.dataset.key)",
    );
    for key in keys.as_array().unwrap() {
        browser.click(&format!("nav [data-key={key}]"));
    }
    assert_eq!(browser.evaluate("clicked"), keys);
}

fn the_outcome_is_hidden_until_the_class_has_guessed(browser: &mut Browser) {
    // Whether the second lane has points in the colour of a request, and how
    // many words are about it.
    let seen = "(() => {
            const { axis } = stage.lanes[1];
            const texts = [];
            axis.pen.fillText = (text) => texts.push(text);
            frame();
            delete axis.pen.fillText;
            const colour = axis.colours.sent.match(/\\d+/g);
            const { width, height } = axis.canvas;
            const { data } = axis.pen.getImageData(0, 0, width, height);
            let points = 0;
            for (let at = 0; at < data.length; at += 4) {
                points += colour.every((it, n) => data[at + n] == it);
            }
            const words = texts.filter(it => it.includes('/blocking'));
            return [points > 20, words.length];
        })()";
    browser.press("2");
    // What was sent before isn't hidden.
    browser.evaluate("stage.lanes[1].requests.clear()");
    browser.press("p");
    browser.press(" ");
    browser.wait_for("count(1, '/blocking', 'ok') == 1");
    assert_eq!(browser.evaluate(seen), json!([false, 0]));
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
    assert_eq!(browser.evaluate(seen), json!([false, 0]));
    browser.press("p");
    assert_eq!(browser.evaluate(seen), json!([true, 1]));
    browser.press("2");
    assert_eq!(browser.evaluate(seen), json!([false, 0]));
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
    let send = |host: &str, origins: &[&str]| {
        ask("POST /send/all/cancel", host, origins)
    };
    let by_name = format!("localhost:{port}");
    assert_eq!(send(own, &[url]), 204);
    assert_eq!(send(&by_name, &[&format!("http://{by_name}")]), 204);
    // Other sites, other ports, other schemes, pages of no site.
    for origins in [
        &["http://example.com"][..],
        &[&format!("https://{own}")],
        &[&format!("http://{by_name}")],
        &[&format!("http://{own}.example.com")],
        &["http://127.0.0.1:1"],
        &["null"],
        &[],
        &["http://example.com", url],
    ] {
        assert_eq!(send(own, origins), 404, "from {origins:?}");
    }
    // A name of another site that leads here isn't ours.
    for host in [
        &format!("example.com:{port}"),
        &format!("127.0.0.1.example.com:{port}"),
        &format!("example.com#@127.0.0.1:{port}"),
        "",
    ] {
        assert_ne!(send(host, &[&format!("http://{host}")]), 204, "at {host}");
        for path in ["/", "/events", "/stage.js", "/difference.html"] {
            let status = ask(&format!("GET {path}"), host, &[]);
            assert!(matches!(status, 400 | 404), "{host}{path}: {status}");
        }
    }
    // A burst goes to one lane only.
    assert_eq!(ask("POST /send/all/burst", own, &[url]), 409);
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
    let mut stage = Stage::with(&lanes);
    let Some(browser) = &mut tab() else { return };
    open(browser, &stage.url);
    let Some(mut other) = tab() else { return };
    open(&mut other, &stage.url);

    browser.press(" ");
    // Of two server threads, the other answers until all the probes' connections
    // wait for the first.
    browser.wait_for("says(2).startsWith('partly frozen for ')");
    browser.wait_for("/^frozen for \\d+\\.\\d s$/.test(says(0))");
    browser.wait_for("says(1) == 'alive'");
    // Screen readers announce it, but not ten times a second.
    let spoken =
        "stage.lanes[0].root.querySelector('[role=status]').textContent";
    browser.wait_for(&format!("{spoken} == 'frozen'"));

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
    let alive = "[0, 1, 2].every(lane => says(lane) == 'alive, cancelled')";
    browser.wait_for(alive);
    browser.wait_for(&format!("{spoken} == 'alive, cancelled'"));

    // Every browser shows a server that has died, even after a reload.
    let mut kill = Command::new("pkill");
    kill.args(["-KILL", "-P", &stage.process.id().to_string(), "step1"]);
    assert!(kill.status().unwrap().success());
    let ended = "says(0).startsWith('ended: signal: 9')";
    browser.press("1");
    browser.wait_for(ended);
    other.wait_for(ended);
    browser.evaluate("window.isOld = true; location.reload()");
    browser.wait_for("!window.isOld && window.stage?.solo === 0");
    browser.wait_for(ended);
    // The others continue, for both.
    browser.press("2");
    browser.press("x");
    for browser in [&mut *browser, &mut other] {
        browser.wait_for("count(1, '/failing', '500') == 1");
        assert!(browser.evaluate(ended) == true);
    }
    browser.press("1");
    browser.press("n");
    browser.wait_for("says(0).startsWith('alive')");

    // In the middle of a burst, whose requests are short ones.
    browser.press("b");
    browser.wait_for(
        "count(0, '/blocking', 'ok') > 0 && count(0, '/blocking') >= 100
            && ideaOf(stage.lanes[0].about)
                .startsWith('for the burst, /blocking counts to ')",
    );
    stage.end(Signal::INT);
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
    browser.evaluate("stage.settings.has_threads = false");
    browser.wait_for("note().includes(`doesn't report what threads do`)");
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

/// A server that has one page, for as long as it answers at all.
fn peer(answers: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answers = answers.clone();
            // One that sends nothing doesn't hold up the others.
            thread::spawn(move || {
                let head = BufReader::new(&stream).lines();
                let head = head.map_while(Result::ok);
                head.take_while(|line| !line.is_empty()).count();
                if answers.load(Ordering::Relaxed) {
                    let page =
                        "HTTP/1.1 200 OK\r\n\r\nThis page is non-blocking";
                    stream.write_all(page.as_bytes()).ok();
                }
            });
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
    let mut stage = Stage::with(&arguments);
    let Some(browser) = &mut tab() else { return };
    open(browser, &stage.url);
    let names = "stage.lanes.slice(1, 4).map(lane => lane.about.name)";
    assert_eq!(browser.evaluate(names), json!(NODE));
    let all_seen = "stage.lanes.every(lane =>
        lane.button.getBoundingClientRect().bottom <= innerHeight)";
    assert_eq!(browser.evaluate(all_seen), true);
    browser.press("ArrowUp");
    browser.wait_for("stage.solo === 9 && location.hash.length > 20");
    browser.press(" ");
    browser.wait_for("count(9, '/blocking', 'ok') == 1");
    browser.press("b");
    browser.wait_for("/the stage has started/.test(note())");
    assert_eq!(browser.evaluate("stage.lanes[9].about.name"), name);

    answers.store(false, Ordering::Relaxed);
    browser.wait_for("says(9).startsWith('no answer: ')");
    answers.store(true, Ordering::Relaxed);
    browser.wait_for("says(9) == 'alive'");

    // Two lanes are those of step 1, and one each those of steps 2 and 3.
    for (key, lane) in [("1", 0), ("1", 1), ("2", 2), ("3", 3)] {
        browser.press(key);
        browser.wait_for(&format!("stage.solo === {lane}"));
        browser.press(" ");
        let ok = format!("count({lane}, '/blocking', 'ok') == 1");
        browser.wait_for(&ok);
    }
    assert_eq!(browser.console_errors(), [""; 0]);
    stage.end(Signal::HUP);
}

fn with_reduced_motion_there_is_one_picture_a_second(browser: &mut Browser) {
    // When it is drawn, if the screen asks every 50 ms.
    let drawn = "requestAnimationFrame = () => {};
        drawn = [];
        frame = () => drawn.push(Math.round(last - start));
        start = last += 5000;
        for (let at = 50; at <= 2000; at += 50) animate(start + at);
        drawn";
    assert_eq!(browser.evaluate(drawn), json!([1000, 2000]));
    browser.look(1280, 720, "light");
    browser.wait_for("!still.matches");
    let often = browser.evaluate(drawn);
    assert_eq!(often.as_array().map(Vec::len), Some(20), "{often}");
}
