//! The differences between the steps, in a real browser: as the chapters show
//! them, and on the projector.

use difference::{html, tasks};
use harness::Browser;
use serde_json::json;

/// The size of the smallest letters in a difference, in pixels.
const SIZE: &str = "Math.min(...[...document.querySelectorAll('[data-line]')]
    .map(it => parseFloat(getComputedStyle(it).fontSize)))";

/// The parts of a difference that stick out of it, of the window, or of their
/// own box, with all folds open. The page doesn't have to scroll for that:
/// clipped text can't be read either. (A box within a line is contained in the
/// line's own: a space that ends a wrapped line hangs over, and nobody sees it.)
const STICKS_OUT: &str = "[...document.querySelectorAll('.difference')]
    .flatMap(difference => {
        difference.querySelectorAll('details').forEach(it => it.open = true);
        const box = difference.getBoundingClientRect();
        const left = Math.max(box.left, 0) - 1;
        const right = Math.min(box.right, innerWidth) + 1;
        return [difference, ...difference.querySelectorAll('*')].filter(it =>
            getComputedStyle(it).display != 'inline' && [...it.getClientRects()].some(rect =>
                rect.width > 0 && (rect.left < left || rect.right > right))
            || (it.clientWidth > 0 && it.scrollWidth > it.clientWidth + 1));
    })
    .slice(0, 3)
    .map(it => `${it.className}: ${it.textContent.slice(0, 80)}`)";

/// Opens a page, and checks its differences: their least size, and how many
/// columns they have.
fn open(name: &str, width: u32, size: f64, columns: u32) -> Option<Browser> {
    let mut browser = Browser::start()?;
    browser.look(width, 800, "light");
    browser.open(&crate::page(name));
    let least = browser.evaluate(SIZE);
    assert!(least.as_f64() >= Some(size), "{name}: {least} px");
    let sticks_out = browser.evaluate(STICKS_OUT);
    assert_eq!(sticks_out, json!([]), "{name}, {width} px wide");
    let over =
        browser.evaluate("document.documentElement.scrollWidth - innerWidth");
    assert!(over.as_f64() <= Some(0.0), "{name}: {over} px");
    let shown = browser.evaluate(
        "getComputedStyle(document.querySelector('.hunk .changed'))
            .gridTemplateColumns.split(' ').length",
    );
    assert_eq!(shown, columns, "{name}, {width} px wide");
    assert_eq!(browser.console_errors(), [""; 0]);
    Some(browser)
}

#[test]
fn a_difference_is_large_enough_and_never_scrolls_sideways() {
    open("step8.html", 400, 14.0, 1);
    open("step8.html", 1280, 14.0, 2);
}

#[test]
fn keys_go_from_hunk_to_hunk_and_from_step_to_step() {
    let Some(mut browser) = open(html::PAGE, 1920, 22.0, 2) else { return };
    let mut press = |key| {
        browser.evaluate(&format!(
            "dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}' }})),
            [scrollY, Math.round(document.getElementById('diff-2-3')
                .getBoundingClientRect().top)]"
        ))
    };
    let first = press("ArrowRight");
    let second = press("PageDown");
    let top = |at: &serde_json::Value| at[0].as_f64();
    assert!(Some(0.0) < top(&first), "{first}");
    assert!(top(&first) < top(&second), "{first} {second}");
    assert_eq!(press("ArrowLeft"), first);
    assert_eq!(press("n")[1], 0);
    assert_eq!(press("p")[0], 0);
    // By mouse, too.
    browser.click("#diff-1-2 [data-key=ArrowRight]");
    assert_eq!(browser.evaluate("scrollY").as_f64(), top(&first));
    browser.press("f");
    browser.wait_for("document.fullscreenElement !== null");
    browser.press("f");
    browser.wait_for("document.fullscreenElement === null");
    // Screen readers go from heading to heading.
    let headings = browser.evaluate(
        "[...document.querySelectorAll('h1, [role=heading]')]
            .map(it => it.innerText)",
    );
    assert_eq!(headings[0], "From step to step");
    assert_eq!(headings[1], "step1-blocking → step2-single-worker");
}

#[test]
fn the_moves_are_shown_one_by_one_in_few_lines_with_their_verdicts() {
    let Some(mut browser) = open(tasks::PAGE, 1280, 22.0, 1) else { return };
    let most = browser.evaluate(
        "Math.max(...[...document.querySelectorAll('.hunk')]
            .map(it => it.querySelectorAll('.row:not(.same)').length))",
    );
    assert!(most.as_f64() <= Some(15.0), "{most} lines lit in one hunk");
    let titles = browser.evaluate(
        "[...document.querySelectorAll('.title > span:first-child')].map(it => it.innerText)",
    );
    for (number, verdict) in [(2, "FROZEN"), (3, "FROZEN"), (4, "ALIVE")] {
        let title = titles[number - 1].as_str().unwrap();
        assert!(title.starts_with(&format!("Move {number}. ")), "{title}");
        assert!(title.ends_with(&format!(": {verdict}")), "{title}");
    }
}
