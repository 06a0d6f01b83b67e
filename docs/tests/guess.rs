//! A chapter's figure follows the reader's guess, in a real browser.

use harness::Browser;

const SHOWN: &str = "[...document.querySelectorAll('figure.press')]
    .filter(it => it.checkVisibility()).length";

#[test]
fn a_guess_is_followed_by_the_figure_that_computes_the_answer() {
    let Some(mut browser) = Browser::start() else { return };
    for step in 1..=7 {
        let page = crate::built().join(format!("step{step}.html"));
        browser.open(&format!("file://{}", page.display()));
        assert_eq!(browser.evaluate(SHOWN), 1, "step {step}, before a guess");
        browser.evaluate(
            "stored = JSON.stringify(localStorage),
            guesses = document.querySelectorAll('[name=guess] > summary'),
            guesses[1].focus()",
        );
        // Everything else by keyboard, too.
        browser.press("Enter");
        let expected = if step == 1 { 1 } else { 2 };
        browser.wait_for(&format!("{SHOWN} == {expected}"));
        browser.evaluate("guesses[3].focus()");
        browser.press("Tab");
        browser.evaluate(
            "figure = document.activeElement.closest('.press'),
            figure.dataset.milliseconds = 100",
        );
        if step < 3 {
            browser.press("Enter");
            let computed = "figure.recording.lanes.some(it => it.spans.length)";
            browser.wait_for(computed);
        }
        let stored = browser.evaluate("stored == JSON.stringify(localStorage)");
        assert_eq!(stored, true, "step {step}: nothing is stored");
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}
