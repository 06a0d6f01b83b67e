//! What differs between two steps.

use difference::{Difference, html};

/// A difference, as `3-4.html` asks for it.
pub fn make(request: &str) -> Result<String, String> {
    let pair = request.strip_suffix(".html").and_then(|it| {
        let (before, after) = it.split_once('-')?;
        before.parse().ok().zip(after.parse().ok())
    });
    let (before, after) =
        pair.ok_or_else(|| format!("expected diffs/3-4.html, not {request}"))?;
    let difference = Difference::between(before, after)
        .map_err(|error| error.to_string())?;
    let button = format!(
        "<a class=\"projector\" href=\"{}#diff-{before}-{after}\">\
         Projector</a>",
        html::PAGE
    );
    Ok(html::fragment(&difference, &button))
}

/// All steps on one page, for the projector: its files, by their names.
pub fn projector() -> Result<[(&'static str, String); 3], String> {
    let all = Difference::all().map_err(|error| error.to_string())?;
    Ok([
        (html::PAGE, html::page(&all)),
        ("difference.css", html::style()),
        ("difference.js", html::SCRIPT.into()),
    ])
}
