//! The figures with buttons, in a real browser: they record what their chapter
//! claims.

use docs::workspace;
use harness::{Browser, STEPS, Server};
use serde_json::Value;

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
        let over = self.0.evaluate(
            "Math.max(...[...figure.querySelectorAll('*')]
                .map(it => it.getBoundingClientRect().right)) - innerWidth",
        );
        assert!(over.as_f64() <= Some(0.0), "step {step}: {over} px");
    }

    /// Presses the button whose label begins with this.
    fn press(&mut self, text: &str) {
        self.0.evaluate(&format!(
            "[...figure.querySelectorAll('button')]
                .find(it => it.textContent.startsWith('{text}')).click()"
        ));
    }

    fn wait_for(&mut self, expression: &str) {
        self.0.wait_for(expression);
    }

    /// The figure's recording, once nothing is being computed any more.
    fn recording(&mut self) -> Recording {
        self.wait_for("figure.recording.end > figure.recording.start");
        Recording(self.0.evaluate("figure.recording"))
    }
}

struct Recording(Value);

impl Recording {
    fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("{name}: {}", self.0))
    }

    /// The spans of all lanes with this name, or with it and a number.
    fn spans(&self, name: &str) -> Vec<&Value> {
        let lanes = self.0["lanes"].as_array().unwrap().iter();
        lanes
            .filter(|it| it["name"].as_str().unwrap().starts_with(name))
            .flat_map(|it| it["spans"].as_array().unwrap())
            .collect()
    }

    fn longest_gap(&self) -> f64 {
        let beats = self.0["beats"].as_array().unwrap();
        let gaps = beats.windows(2).map(|two| length(&two[0], &two[1]));
        gaps.fold(0.0, f64::max)
    }
}

fn length(from: &Value, to: &Value) -> f64 {
    to.as_f64().unwrap() - from.as_f64().unwrap()
}

fn computed(span: &Value) -> f64 {
    length(&span["from"], &span["to"])
}

#[test]
fn each_figure_really_computes_and_shows_what_its_chapter_says() {
    let Some(browser) = Browser::start() else { return };
    let mut reader = Reader(browser);
    reader.0.look(400, 800, "light");
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
    let recording = reader.recording();
    let spans = recording.spans("page");
    let (computed, gap) = (computed(spans[0]), recording.longest_gap());
    assert!(gap >= computed, "{gap} ms of gap, {computed} ms of computing");
    assert!(gap < 1.5 * computed, "{gap} ms of gap, {computed} ms");
}

fn it_continues_while_a_worker_computes(reader: &mut Reader) {
    reader.open(2, 800);
    reader.press("Compute");
    let recording = reader.recording();
    assert_eq!(recording.spans("page"), [&Value::Null; 0]);
    let spans = recording.spans("worker");
    let (computed, gap) = (computed(spans[0]), recording.longest_gap());
    assert!(gap < computed / 2.0, "{gap} ms of gap, {computed} ms");
}

fn each_of_several_workers_computes_a_share(reader: &mut Reader) {
    reader.open(3, 500);
    reader.press("4 workers");
    let recording = reader.recording();
    let spans = recording.spans("worker");
    let shares: Vec<_> = spans.iter().map(|it| it["done"].as_u64()).collect();
    assert_eq!(shares, [Some(12), Some(13), Some(12), Some(13)]);
    let marks = recording.0["lanes"][1]["marks"].as_array().unwrap();
    let join = marks.iter().find(|it| it["text"] == "join").unwrap();
    for span in spans {
        // The clocks of a page and its workers differ by a few milliseconds.
        assert!(length(&span["to"], &join["at"]) > -10.0, "{}", recording.0);
    }
}

fn a_pool_is_started_once_and_reused(reader: &mut Reader) {
    reader.open(4, 300);
    reader.press("Six jobs, six workers");
    let recording = reader.recording();
    assert_eq!(recording.number("threads"), 6);
    assert_eq!(recording.spans("worker").len(), 6);
    for done in [6, 12] {
        reader.press("Six jobs, a pool");
        let recording = reader.recording();
        assert_eq!(recording.number("threads"), 2);
        let jobs = recording.0["jobs"].as_array().unwrap().iter();
        assert_eq!(jobs.filter_map(Value::as_u64).sum::<u64>(), done);
        assert_eq!(recording.spans("worker").len(), 6);
    }
}

fn a_request_without_a_slot_is_refused(reader: &mut Reader) {
    reader.open(5, 900);
    for _ in 0..5 {
        reader.press("Send");
    }
    let recording = reader.recording();
    assert_eq!(recording.number("admitted"), 3);
    assert_eq!(recording.number("refused"), 2);
    assert_eq!(recording.spans("worker").len(), 3);
    // Its slots are free again.
    reader.press("Send");
    assert_eq!(reader.recording().number("admitted"), 1);
}

fn progress_is_reported_chunk_by_chunk(reader: &mut Reader) {
    reader.open(6, 300);
    reader.press("Compute");
    let recording = reader.recording();
    let marks = recording.0["lanes"][1]["marks"].as_array().unwrap();
    // A message for each of the chunks, and one for the end.
    assert_eq!(marks.len(), 31);
}

fn a_worker_that_checks_can_be_cancelled_and_any_be_terminated(
    reader: &mut Reader,
) {
    let begun = "figure.recording.lanes[2]?.spans[0].done >= 10";
    reader.open(7, 600);
    reader.press("Compute");
    reader.wait_for(begun);
    reader.press("Cancel");
    let recording = reader.recording();
    let span = recording.spans("worker")[0];
    assert_eq!(span["cancelled"], true, "{span}");
    let asked = recording.0["cancel"]["done"].as_u64().unwrap();
    let further = span["done"].as_u64().unwrap() - asked;
    assert!(further <= 20, "{further} of 60 chunks after the message");

    reader.press("Compute without checking");
    reader.wait_for(begun);
    reader.press("Cancel");
    let recording = reader.recording();
    assert_eq!(recording.spans("worker")[0]["done"], 60);

    reader.press("Compute without checking");
    reader.wait_for(begun);
    reader.press("terminate");
    let then = reader.0.evaluate("figure.recording.lanes[2].spans[0]");
    let recording = reader.recording();
    let span = recording.spans("worker")[0];
    assert_eq!(span["terminated"], true, "{span}");
    assert_eq!(span["done"], then["done"], "it kept counting");
    assert!(span["done"].as_u64() < Some(60), "{span}");
}

fn with_reduced_motion_only_the_end_is_drawn(reader: &mut Reader) {
    reader.0.little_motion();
    reader.0.before_scripts(
        "const { clearRect } = CanvasRenderingContext2D.prototype;
        pictures = 0;
        CanvasRenderingContext2D.prototype.clearRect = function (...box) {
            pictures += this.canvas.closest('[hidden]') ? 0 : 1;
            clearRect.apply(this, box);
        }",
    );
    reader.open(2, 300);
    assert_eq!(reader.0.evaluate("pictures"), 1);
    reader.press("Compute");
    reader.wait_for("figure.recording.lanes[2]?.spans[0].from > 0");
    assert_eq!(reader.0.evaluate("pictures"), 1);
    reader.recording();
    assert_eq!(reader.0.evaluate("pictures"), 2);
}

fn without_workers_the_picture_stays(reader: &mut Reader) {
    reader.0.before_scripts("delete window.Worker");
    for (step, buttons) in [(1, 1), (2, 0)] {
        reader.open(step, 100);
        let count =
            reader.0.evaluate("figure.querySelectorAll('button').length");
        assert_eq!(count, buttons);
        let still = "figure.querySelector('svg > title').textContent";
        let title = reader.0.evaluate(still);
        let begin = format!("Step {step}: ");
        assert!(title.as_str().unwrap().starts_with(&begin), "{title}");
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
        let program = harness::program(step, None);
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
