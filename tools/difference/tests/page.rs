//! The page for the projector, in a real browser.

use std::{fs, path::Path, thread};

use difference::{Difference, html};
use harness::Browser;

/// The page, opened; nothing where there is no browser.
fn open(folder: &Path) -> Option<Browser> {
    let mut browser = Browser::start()?;
    let differences = Difference::all().expect("the steps can be read");
    let file = folder.join(html::PAGE);
    for (name, text) in [
        (html::PAGE, html::page(&differences)),
        ("difference.css", html::style()),
        ("difference.js", html::SCRIPT.into()),
    ] {
        fs::write(folder.join(name), text).expect("it can be written");
    }
    browser.look(1280, 800, "light");
    browser.open(&format!("file://{}", file.display()));
    Some(browser)
}

/// The smallest font of the code, in CSS pixels.
fn font_size(browser: &mut Browser) -> f64 {
    let size = browser.evaluate(
        "Math.min(...[...document.querySelectorAll('.row > [data-line]')]
            .map(it => parseFloat(getComputedStyle(it).fontSize)))",
    );
    size.as_f64().expect("it is a number")
}

fn press(browser: &mut Browser, key: &str) {
    browser.evaluate(&format!(
        "dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}' }}))"
    ));
}

#[test]
fn the_projector_shows_it_large_and_never_scrolls_sideways() {
    thread::scope(|scope| {
        for look in [(400, 800, 14.0), (1280, 800, 14.0), (1920, 1080, 22.0)] {
            scope.spawn(move || it_is_large_and_never_scrolls(look));
        }
    });
}

fn it_is_large_and_never_scrolls((width, height, least): (u32, u32, f64)) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let Some(mut browser) = open(folder.path()) else { return };
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("difference");
    for scheme in ["light", "dark"] {
        browser.look(width, height, scheme);
        let size = font_size(&mut browser);
        assert!(size >= least, "{size} px at {width}");
        browser.evaluate(
            "document.querySelectorAll('details')
                .forEach(it => { it.open = true })",
        );
        let over = browser
            .evaluate("document.documentElement.scrollWidth - innerWidth");
        assert!(over.as_f64() <= Some(0.0), "{over} px too wide at {width}");
        browser.evaluate(
            "document.querySelectorAll('details')
                .forEach(it => { it.open = false })",
        );
        for before in 1..*difference::steps().end() {
            let after = before + 1;
            browser.evaluate(&format!(
                "document.getElementById('diff-{before}-{after}')
                    .scrollIntoView()"
            ));
            let name = format!("{before}-{after}-{width}-{scheme}.png");
            browser.screenshot(pictures.join(name));
        }
    }
    assert_eq!(browser.console_errors(), [""; 0]);
}

#[test]
fn rust_is_coloured_in_both_columns_and_changed_words_are_underlined() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let Some(mut browser) = open(folder.path()) else { return };
    for before in 1..*difference::steps().end() {
        let mut count = |what: &str| {
            let after = before + 1;
            let selector = format!("#diff-{before}-{after} {what}");
            let count = browser.evaluate(&format!(
                "document.querySelectorAll('{selector}').length"
            ));
            count.as_u64().expect("it is a number")
        };
        let old = count(".old span");
        let new = count(".new span");
        assert!(old >= 100 && new >= 100, "{before}: {old}, {new}");
        assert!(count("del, ins") > 0, "{before}");
        assert!(count(".hunk") > 0, "{before}");
    }
    let colours = browser.evaluate(
        "new Set([...document.querySelectorAll('.row span')]
            .map(it => getComputedStyle(it).color)).size",
    );
    assert_eq!(colours, 6);
    let line = browser.evaluate(
        "getComputedStyle(document.querySelector('ins')).textDecorationLine",
    );
    assert_eq!(line, "underline");
    let hatched = browser.evaluate(
        "[...document.querySelectorAll('.none')].every(it => {
            const { backgroundColor, backgroundImage } = getComputedStyle(it);
            return backgroundColor == 'rgba(0, 0, 0, 0)'
                && backgroundImage.startsWith('repeating-linear-gradient');
        })",
    );
    assert_eq!(hatched, true);
}

#[test]
fn a_narrow_window_has_one_column_and_a_wide_one_two() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let Some(mut browser) = open(folder.path()) else { return };
    let columns = "getComputedStyle(document.querySelector('.hunk .changed'))
        .gridTemplateColumns.split(' ').length";
    assert_eq!(browser.evaluate(columns), 2);
    browser.look(400, 800, "light");
    assert_eq!(browser.evaluate(columns), 1);
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
    // As in the stage, when it shows something else.
    browser.evaluate("document.body.classList.remove('projection')");
    press(&mut browser, "n");
    assert_eq!(top(&mut browser), 0.0);
}
