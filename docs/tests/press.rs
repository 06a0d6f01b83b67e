//! The figures with buttons, in a real browser: they record what their chapter
//! claims.

use docs::workspace;
use harness::{Browser, STEPS, Server};

/// What tests ask about a figure's recording: the spans of all lanes with this
/// name, or with it and a number; how long one took; what the page's thread
/// did; and the longest time without a heartbeat.
const HELPERS: &str = "
    window.spans = name => figure.recording.lanes
        .filter(it => it.name.startsWith(name)).flatMap(it => it.spans);
    window.took = ({ from, to }) => to - from;
    window.marks = () => figure.recording.lanes[1].marks;
    window.gap = () => Math.max(...figure.recording.beats
        .map((time, n, beats) => time - (beats[n - 1] ?? time)));
    window.pictures = 0;
    const { clearRect } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.clearRect = function (...box) {
        pictures += this.canvas.closest('[hidden]') ? 0 : 1;
        clearRect.apply(this, box);
    };";

/// A browser that reads the book.
struct Reader(Browser);

impl Reader {
    /// Opens a step's chapter, whose figure computes for this long.
    fn open(&mut self, step: u32, milliseconds: u32) {
        let page = match step {
            // On the first page that is opened.
            1 => "index.html".to_owned(),
            _ => format!("step{step}.html"),
        };
        self.0.open(&crate::page(&page));
        self.0.evaluate(&format!(
            "figure = document.querySelector('.press');
            figure.dataset.milliseconds = {milliseconds}"
        ));
        self.claims(
            "[...figure.querySelectorAll('*')].every(it =>
                it.getBoundingClientRect().right <= innerWidth)",
        );
    }

    /// Presses the button whose label begins with this.
    fn press(&mut self, text: &str) {
        self.0.evaluate(&format!(
            "[...figure.querySelectorAll('button')]
                .find(it => it.textContent.startsWith('{text}')).click()"
        ));
    }

    /// Waits until nothing is being computed any more.
    fn wait(&mut self) {
        self.0.wait_for("figure.recording.end > figure.recording.start");
    }

    /// Checks that this is true now.
    fn claims(&mut self, claim: &str) {
        if self.0.evaluate(claim) != true {
            let recording = self.0.evaluate("figure.recording");
            panic!("not true: {claim}, of {recording}");
        }
    }
}

#[test]
fn each_figure_really_computes_and_shows_what_its_chapter_says() {
    let Some(browser) = Browser::start() else { return };
    let mut reader = Reader(browser);
    reader.0.look(400, 800, "light");
    reader.0.before_scripts(HELPERS);
    the_heartbeat_stops_while_the_page_computes(&mut reader);
    it_continues_while_a_worker_computes(&mut reader);
    each_of_several_workers_computes_a_share(&mut reader);
    a_pool_is_started_once_and_reused(&mut reader);
    a_request_without_a_slot_is_refused(&mut reader);
    progress_is_reported_chunk_by_chunk(&mut reader);
    a_worker_that_checks_can_be_cancelled_and_any_be_terminated(&mut reader);
    with_reduced_motion_only_the_end_is_drawn(&mut reader);
    without_workers_the_picture_stays(&mut reader);
    assert_eq!(reader.0.console_errors(), [""; 0]);
}

fn the_heartbeat_stops_while_the_page_computes(reader: &mut Reader) {
    reader.open(1, 800);
    reader.press("Compute");
    reader.wait();
    reader.claims("gap() >= took(spans('page')[0])");
    reader.claims("gap() < 1.5 * took(spans('page')[0])");
}

fn it_continues_while_a_worker_computes(reader: &mut Reader) {
    reader.open(2, 800);
    reader.press("Compute");
    reader.wait();
    reader.claims("spans('page').length == 0");
    reader.claims("gap() < took(spans('worker')[0]) / 2");
}

fn each_of_several_workers_computes_a_share(reader: &mut Reader) {
    reader.open(3, 500);
    reader.press("4 workers");
    reader.wait();
    reader.claims("spans('worker').map(it => it.done).join() == '12,13,12,13'");
    // The clocks of a page and its workers differ by a few milliseconds.
    reader.claims(
        "spans('worker').every(({ to }) =>
            to < marks().find(it => it.text == 'join').at + 10)",
    );
}

fn a_pool_is_started_once_and_reused(reader: &mut Reader) {
    reader.open(4, 300);
    reader.press("Six jobs, six workers");
    reader.wait();
    reader.claims("figure.recording.threads == 6");
    reader.claims("spans('worker').length == 6");
    for done in [6, 12] {
        reader.press("Six jobs, a pool");
        reader.wait();
        reader.claims("figure.recording.threads == 2");
        reader.claims("spans('worker').length == 6");
        let all = "figure.recording.jobs.reduce((a, b) => a + b)";
        reader.claims(&format!("{all} == {done}"));
    }
}

fn a_request_without_a_slot_is_refused(reader: &mut Reader) {
    reader.open(5, 900);
    for _ in 0..5 {
        reader.press("Send");
    }
    reader.wait();
    reader.claims("figure.recording.admitted == 3");
    reader.claims("figure.recording.refused == 2");
    reader.claims("spans('worker').length == 3");
    // Its slots are free again.
    reader.press("Send");
    reader.wait();
    reader.claims("figure.recording.admitted == 1");
}

fn progress_is_reported_chunk_by_chunk(reader: &mut Reader) {
    reader.open(6, 300);
    reader.press("Compute");
    reader.wait();
    // A message for each of the chunks, and one for the end.
    reader.claims("marks().length == 31");
}

fn a_worker_that_checks_can_be_cancelled_and_any_be_terminated(
    reader: &mut Reader,
) {
    let begun = "spans('worker')[0]?.done >= 10";
    reader.open(7, 600);
    reader.press("Compute");
    reader.0.wait_for(begun);
    reader.press("Cancel");
    reader.wait();
    reader.claims("spans('worker')[0].cancelled");
    let asked = "figure.recording.cancel.done";
    reader.claims(&format!("spans('worker')[0].done - {asked} <= 20"));

    reader.press("Compute without checking");
    reader.0.wait_for(begun);
    reader.press("Cancel");
    reader.wait();
    reader.claims("spans('worker')[0].done == 60");

    reader.press("Compute without checking");
    reader.0.wait_for(begun);
    reader.press("terminate");
    reader.0.evaluate("then = spans('worker')[0].done");
    reader.wait();
    reader.claims("spans('worker')[0].terminated");
    // It didn't keep counting.
    reader.claims("then < 60 && spans('worker')[0].done == then");
}

fn with_reduced_motion_only_the_end_is_drawn(reader: &mut Reader) {
    reader.0.little_motion();
    reader.open(2, 300);
    reader.claims("pictures == 1");
    reader.press("Compute");
    reader.0.wait_for("spans('worker')[0]?.from > 0");
    reader.claims("pictures == 1");
    reader.wait();
    reader.claims("pictures == 2");
}

fn without_workers_the_picture_stays(reader: &mut Reader) {
    reader.0.before_scripts("delete window.Worker");
    for (step, buttons) in [(1, 1), (2, 0)] {
        reader.open(step, 100);
        let count = "figure.querySelectorAll('button').length";
        reader.claims(&format!("{count} == {buttons}"));
        let title = "figure.querySelector('svg > title').textContent";
        reader.claims(&format!("{title}.startsWith('Step {step}: ')"));
    }
}

/// The first two chapters show both ways: the figure after a guess is the
/// chapter's own, or another.
#[test]
fn a_guess_is_followed_by_the_figure_that_computes_the_answer() {
    const SHOWN: &str = "[...document.querySelectorAll('figure.press')]
        .filter(it => it.checkVisibility()).length";
    let Some(mut browser) = Browser::start() else { return };
    for step in [1, 2] {
        browser.open(&crate::page(&format!("step{step}.html")));
        assert_eq!(browser.evaluate(SHOWN), 1, "step {step}, before a guess");
        browser.evaluate(
            "stored = JSON.stringify(localStorage),
            guesses = document.querySelectorAll('[name=guess] > summary'),
            guesses[1].focus()",
        );
        // Everything else by keyboard, too.
        browser.press("Enter");
        browser.wait_for(&format!("{SHOWN} == {step}"));
        browser.evaluate("guesses[3].focus()");
        browser.press("Tab");
        browser.evaluate(
            "figure = document.activeElement.closest('.press'),
            figure.dataset.milliseconds = 100",
        );
        browser.press("Enter");
        browser.wait_for("figure.recording.lanes.some(it => it.spans.length)");
        let stored = browser.evaluate("stored == JSON.stringify(localStorage)");
        assert_eq!(stored, true, "step {step}: nothing is stored");
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}

/// `cargo test -p docs pictured -- --ignored` renews them.
#[test]
#[ignore = "it renews pictures of the book"]
fn the_pages_of_steps_1_and_2_are_pictured_while_they_count() {
    let browser = Browser::start();
    let mut browser = browser.expect("there is a browser");
    let pictures = [
        (STEPS[0], "Frozen for 2", "frozen"),
        (STEPS[1], "Waiting for /blocking: 2", "alive"),
    ];
    for (step, state, name) in pictures {
        let program = harness::program(step);
        let mut command =
            harness::command(program.unwrap_or_else(|error| panic!("{error}")));
        let server = Server::start(&mut command).unwrap();
        browser.look(900, 620, "light");
        browser.open(server.url());
        browser.wait_for(
            "Number(document.querySelector('#answers').textContent) > 20",
        );
        browser.evaluate(
            "document.querySelector('[data-path=\"/blocking\"]').click()",
        );
        browser.wait_for(&format!(
            "document.querySelector('#state').textContent
                .startsWith('{state}')"
        ));
        for scheme in ["light", "dark"] {
            browser.look(900, 620, scheme);
            let file = format!("docs/chapters/pictures/{name}-{scheme}.webp");
            browser.screenshot(workspace(file));
        }
        browser.open("about:blank");
        server.kill();
    }
}
