//! The figures with buttons, in a real browser: they record what their chapter
//! claims.

use std::fs;

use docs::workspace;
use harness::{Browser, STEPS, Server};
use regex::{NoExpand, Regex};

/// What tests ask about a figure's recording: the spans of all lanes with this
/// name, or with it and a number; how long one took; what the page's thread
/// did; and the longest time without a heartbeat. And how often the figure was
/// drawn.
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
        pictures += 1;
        clearRect.apply(this, box);
    };";

/// A page with the figures of all chapters, as they are there.
fn figures() -> String {
    let figure = Regex::new("(?s)<figure class=\"press\".*?</figure>").unwrap();
    let read =
        |name: &str| fs::read_to_string(crate::built().join(name)).unwrap();
    let all = (1..=7).map(|step| {
        let chapter = read(&format!("step{step}.html"));
        figure.find(&chapter).unwrap().as_str().to_owned()
    });
    let all: String = all.collect();
    let page = figure.replace(&read("index.html"), NoExpand(&all)).into_owned();
    fs::write(crate::built().join("figures.htm"), page).unwrap();
    crate::page("figures.htm")
}

/// A browser that shows this page.
struct Reader(Browser);

impl Reader {
    /// Turns to a step's figure, and has it compute for this long.
    fn figure(&mut self, step: u32, milliseconds: u32) {
        self.0.evaluate(&format!(
            "figure = document.querySelector('.press[data-step=\"{step}\"]');
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

    fn press_and_wait(&mut self, text: &str) {
        self.press(text);
        self.wait();
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
    reader.0.open(&figures());
    the_heartbeat_stops_while_the_page_computes(&mut reader);
    it_continues_while_a_worker_computes(&mut reader);
    each_of_several_workers_computes_a_share(&mut reader);
    a_pool_is_started_once_and_reused(&mut reader);
    a_request_without_a_slot_is_refused(&mut reader);
    a_worker_that_checks_can_be_cancelled_and_any_be_terminated(&mut reader);
    progress_is_reported_chunk_by_chunk(&mut reader);
    assert_eq!(reader.0.console_errors(), [""; 0]);
}

fn the_heartbeat_stops_while_the_page_computes(reader: &mut Reader) {
    reader.figure(1, 500);
    reader.press_and_wait("Compute");
    reader.claims("gap() >= took(spans('page')[0])");
    reader.claims("gap() < 2 * took(spans('page')[0])");
}

fn it_continues_while_a_worker_computes(reader: &mut Reader) {
    reader.figure(2, 600);
    reader.press_and_wait("Compute");
    reader.claims("spans('page').length == 0");
    reader.claims("gap() < took(spans('worker')[0]) / 2");
}

fn each_of_several_workers_computes_a_share(reader: &mut Reader) {
    reader.figure(3, 100);
    reader.press_and_wait("4 workers");
    reader.claims("spans('worker').map(it => it.done).join() == '2,3,2,3'");
    // The clocks of a page and its workers differ by a few milliseconds.
    reader.claims(
        "spans('worker').every(({ to }) =>
            to < marks().find(it => it.texts[0] == 'join').at + 10)",
    );
}

fn a_pool_is_started_once_and_reused(reader: &mut Reader) {
    reader.figure(4, 150);
    for (button, threads) in [("six workers", 6), ("a pool", 2), ("a pool", 2)]
    {
        reader.press_and_wait(&format!("Six jobs, {button}"));
        reader.claims("spans('worker').length == 6");
        let lanes = "figure.recording.lanes.length";
        reader.claims(&format!("{lanes} - 2 == {threads}"));
    }
    // All twelve are done, by the same two threads.
    reader.claims(
        "figure.querySelector('.state').textContent.match(/\\d+/g)
            .map(Number).slice(1).reduce((a, b) => a + b) == 12",
    );
}

fn a_request_without_a_slot_is_refused(reader: &mut Reader) {
    reader.figure(5, 300);
    for _ in 0..5 {
        reader.press("Send");
    }
    reader.wait();
    let refused = "marks().filter(it => it.texts[0] == '503').length";
    reader.claims("spans('worker').length == 3");
    reader.claims(&format!("{refused} == 2"));
    // Its slots are free again.
    reader.press_and_wait("Send");
    reader.claims("spans('worker').length == 1");
}

fn a_worker_that_checks_can_be_cancelled_and_any_be_terminated(
    reader: &mut Reader,
) {
    let begun = "spans('worker')[0]?.done >= 10";
    reader.figure(7, 600);
    reader.press("Compute");
    reader.0.wait_for(begun);
    reader.press_and_wait("Cancel");
    reader.claims("spans('worker')[0].cancelled");
    let more = "spans('worker')[0].done - spans('worker')[0].cancel.done";
    reader.claims(&format!("{more} <= 20"));

    reader.press("Compute without checking");
    reader.0.wait_for(begun);
    reader.press_and_wait("Cancel");
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

fn progress_is_reported_chunk_by_chunk(reader: &mut Reader) {
    reader.figure(6, 100);
    reader.press_and_wait("Compute");
    // A message for each of the chunks, and one for the end.
    reader.claims("marks().length == 11");
    reader.claims("pictures > 2");

    // With reduced motion, only the end is drawn.
    reader.0.little_motion();
    reader.0.evaluate("pictures = 0");
    reader.press_and_wait("Compute");
    reader.claims("pictures == 1");
}

/// `cargo test -p docs pictured -- --ignored` renews them.
#[test]
#[ignore = "it renews pictures of the book"]
fn the_pages_of_steps_1_and_2_are_pictured_while_they_count() {
    let mut browser = Browser::start().expect("there is a browser");
    for (step, name) in [(STEPS[0], "frozen"), (STEPS[1], "alive")] {
        let program = harness::program(step).unwrap();
        let server = Server::start(&mut harness::command(program)).unwrap();
        browser.look(900, 620, "light");
        browser.open(server.url());
        let text = |id| format!("document.querySelector('#{id}').textContent");
        browser.wait_for(&format!("{} > 20", text("answers")));
        browser.evaluate(
            "document.querySelector('[data-path=\"/blocking\"]').click()",
        );
        browser.wait_for(&format!("{}.includes(' 2.')", text("state")));
        for scheme in ["light", "dark"] {
            browser.look(900, 620, scheme);
            let file = format!("docs/chapters/pictures/{name}-{scheme}.webp");
            browser.screenshot(workspace(file));
        }
        browser.open("about:blank");
    }
}
