//! The page for the projector, in a real browser.

use std::{fs, path::Path};

use difference::{Difference, html, tasks};
use harness::Browser;

/// The page, opened; nothing if there is no browser.
fn open(folder: &Path) -> Option<Browser> {
    let mut browser = Browser::start()?;
    let differences = Difference::all().expect("the steps can be read");
    let file = folder.join(html::PAGE);
    for (name, text) in [
        (html::PAGE, html::page(&differences)),
        (tasks::PAGE, tasks::moves().expect("the moves can be read")),
        ("difference.css", html::style()),
        ("difference.js", html::SCRIPT.into()),
    ] {
        fs::write(folder.join(name), text).expect("it can be written");
    }
    browser.look(1280, 800, "light");
    browser.open(&format!("file://{}", file.display()));
    Some(browser)
}

fn press(browser: &mut Browser, key: &str) {
    browser.evaluate(&format!(
        "dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}' }}))"
    ));
}

#[test]
fn the_projector_shows_it_large_and_never_scrolls_sideways() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let Some(mut browser) = open(folder.path()) else { return };
    for (width, height, least) in
        [(400, 800, 14.0), (1280, 800, 14.0), (1920, 1080, 22.0)]
    {
        browser.look(width, height, "light");
        let size = browser.evaluate(
            "Math.min(...[...document.querySelectorAll('.row > [data-line]')]
                .map(it => parseFloat(getComputedStyle(it).fontSize)))",
        );
        assert!(size.as_f64() >= Some(least), "{size} px at {width}");
        let over = browser.evaluate(
            "document.querySelectorAll('details')
                .forEach(it => { it.open = true }),
            document.documentElement.scrollWidth - innerWidth",
        );
        assert!(over.as_f64() <= Some(0.0), "{over} px too wide at {width}");
        browser.evaluate(
            "document.querySelectorAll('details')
                .forEach(it => { it.open = false })",
        );
        let columns = browser.evaluate(
            "getComputedStyle(document.querySelector('.hunk .changed'))
                .gridTemplateColumns.split(' ').length",
        );
        assert_eq!(columns, if width < 1000 { 1 } else { 2 }, "{width}");
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn keys_go_from_hunk_to_hunk_and_from_step_to_step() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let Some(mut browser) = open(folder.path()) else { return };
    let top = |browser: &mut Browser| {
        browser.evaluate("scrollY").as_f64().expect("it is a number")
    };
    let start = top(&mut browser);
    press(&mut browser, "ArrowRight");
    let first = top(&mut browser);
    press(&mut browser, "PageDown");
    let second = top(&mut browser);
    assert!(start < first && first < second, "{start} {first} {second}");
    press(&mut browser, "ArrowLeft");
    assert_eq!(top(&mut browser), first);
    press(&mut browser, "n");
    let at = "Math.abs(Math.round(document.getElementById('diff-2-3')
        .getBoundingClientRect().top))";
    assert_eq!(browser.evaluate(at), 0);
    press(&mut browser, "p");
    assert_eq!(top(&mut browser), 0.0);
    // By mouse, too.
    browser.click("#diff-1-2 [data-key=ArrowRight]");
    assert_eq!(top(&mut browser), first);
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
    let folder = tempfile::tempdir().expect("a folder can be made");
    let Some(mut browser) = open(folder.path()) else { return };
    browser.look(1920, 1080, "light");
    let page = folder.path().join(tasks::PAGE);
    browser.open(&format!("file://{}", page.display()));
    let size = browser.evaluate(
        "Math.min(...[...document.querySelectorAll('.row > [data-line]')]
            .map(it => parseFloat(getComputedStyle(it).fontSize)))",
    );
    assert!(size.as_f64() >= Some(22.0), "{size} px");
    let most = browser.evaluate(
        "Math.max(...[...document.querySelectorAll('.hunk')]
            .map(it => it.querySelectorAll('.row:not(.same)').length))",
    );
    assert!(most.as_f64() <= Some(15.0), "{most} lines lit in one hunk");
    for (number, verdict) in [(2, "FROZEN"), (3, "FROZEN"), (4, "ALIVE")] {
        browser.evaluate(&format!(
            "location.hash = 'diff-{}-{number}'",
            number - 1
        ));
        let title = browser.evaluate(&format!(
            "document.querySelector('#diff-{}-{number} .title span').innerText",
            number - 1
        ));
        let title = title.as_str().unwrap_or_default();
        assert!(title.starts_with(&format!("Move {number}. ")), "{title}");
        assert!(title.ends_with(&format!(": {verdict}")), "{title}");
    }
    press(&mut browser, "n");
    let at = "Math.abs(Math.round(document.getElementById('diff-4-5')
        .getBoundingClientRect().top))";
    assert_eq!(browser.evaluate(at), 0);
}
