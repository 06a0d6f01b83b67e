//! The difference between two steps, as a chapter shows it in a real browser.

use harness::{Browser, STEPS};
use serde_json::json;

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

#[test]
fn a_chapter_shows_its_difference_large_enough_and_never_scrolls_sideways() {
    let Some(mut browser) = Browser::start() else { return };
    for step in 2..=STEPS.len() {
        let page = crate::built().join(format!("step{step}.html"));
        for (width, height, least) in
            [(400, 800, 14.0), (1280, 800, 14.0), (1920, 1080, 16.0)]
        {
            browser.look(width, height, "light");
            // If there is room when it opens, it has a sidebar.
            if width < 1920 {
                browser.open(&format!("file://{}", page.display()));
            }
            let size = browser.evaluate(
                "Math.min(...[...document.querySelectorAll('[data-line]')]
                    .map(it => parseFloat(getComputedStyle(it).fontSize)))",
            );
            assert!(size.as_f64() >= Some(least), "step {step}: {size} px");
            let over = browser
                .evaluate("document.documentElement.scrollWidth - innerWidth");
            assert!(over.as_f64() <= Some(0.0), "step {step}: {over} px");
            let sticks_out = browser.evaluate(STICKS_OUT);
            assert_eq!(sticks_out, json!([]), "step {step}, {width} px wide");
        }
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}
