//! What differs between two steps, as a chapter shows it in a real browser.

use std::path::Path;

use docs::build;
use harness::{Browser, STEPS};

#[test]
fn a_chapter_shows_its_difference_large_enough_and_never_scrolls_sideways() {
    let Some(mut browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let book = build::build(Some(folder.path()))
        .unwrap_or_else(|error| panic!("{error}"));
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("difference");
    for step in 2..=STEPS.len() {
        let page = book.join(format!("step{step}.html"));
        for (width, height, least) in
            [(400, 800, 14.0), (1280, 800, 14.0), (1920, 1080, 16.0)]
        {
            browser.look(width, height, "light");
            browser.open(&format!("file://{}", page.display()));
            let size = browser.evaluate(
                "Math.min(...[...document.querySelectorAll('[data-line]')]
                    .map(it => parseFloat(getComputedStyle(it).fontSize)))",
            );
            assert!(size.as_f64() >= Some(least), "step {step}: {size} px");
            let over = browser
                .evaluate("document.documentElement.scrollWidth - innerWidth");
            assert!(over.as_f64() <= Some(0.0), "step {step}: {over} px");
            browser.evaluate(
                "document.querySelector('.difference').scrollIntoView()",
            );
            let name = format!("book-{step}-{width}.png");
            browser.screenshot(pictures.join(name));
        }
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}
