//! What differs between two steps.

pub use difference::html::{PAGE, STYLE};
use difference::{Difference, html};

/// Where the differences are, and their style sheet.
pub const FOLDER: &str = "docs/generated/diffs";

/// A difference: of all files as `1-2/main.html` asks for it, of `pool.rs`
/// alone as `4-5/pool.html` does.
pub fn make(request: &str) -> Result<String, String> {
    let expected = || format!("expected diffs/1-2/main.html, not {request}");
    let (pair, file) = request.split_once('/').ok_or_else(expected)?;
    let (before, after) = pair.split_once('-').ok_or_else(expected)?;
    let number = |step: &str| step.parse().map_err(|_| expected());
    let stem = file.strip_suffix(".html").ok_or_else(expected)?;
    let mut difference = Difference::between(number(before)?, number(after)?)
        .map_err(|error| error.to_string())?;
    if stem != "main" {
        difference.files.retain(|it| it.name == format!("{stem}.rs"));
    }
    if difference.files.is_empty() {
        return Err(format!("{stem}.rs is the same in steps {pair}"));
    }
    Ok(html::fragment(&difference))
}

/// All steps on one page, for the projector.
pub fn page() -> Result<String, String> {
    let all = Difference::all().map_err(|error| error.to_string())?;
    Ok(html::page(&all))
}
