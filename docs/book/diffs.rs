//! What differs between two steps, in two columns and in one.

use std::ops::Range;

use similar::{DiffTag, TextDiff};

use harness::STEPS;

use super::read;

/// How many lines that are the same stand around what differs.
const CONTEXT: usize = 3;

/// A diff, as `1-2/main.html` asks for it.
pub fn make(request: &str) -> Result<String, String> {
    let expected = || format!("expected diffs/1-2/main.html, not {request}");
    let (pair, file) = request.split_once('/').ok_or_else(expected)?;
    let step = |number: &str| {
        let step = format!("step{number}-");
        STEPS.into_iter().find(|name| name.starts_with(&step))
    };
    let (before, after) = pair.split_once('-').ok_or_else(expected)?;
    let (before, after) = step(before).zip(step(after)).ok_or_else(expected)?;
    let stem = file.strip_suffix(".html").ok_or_else(expected)?;
    let before = format!("{before}/src/{stem}.rs");
    let after = format!("{after}/src/{stem}.rs");

    let (old, new) = (read(&before)?, read(&after)?);
    let diff = TextDiff::from_lines(old.as_str(), new.as_str());
    let two = two_columns(&diff, &before, &after);
    let one = diff.unified_diff().header(&before, &after).to_string();
    // A line that is empty would end a block of HTML in Markdown.
    let one: String = escaped(&one)
        .lines()
        .map(|line| if line == " " { "&#32;" } else { line })
        .map(|line| format!("{line}\n"))
        .collect();
    let name = format!("diff-{pair}-{stem}");
    Ok(format!(
        "<div class=\"diff\">\n{}{}{two}<pre class=\"one-column\"><code \
         class=\"language-diff\">{one}</code></pre>\n</div>\n",
        choice(&name, "two", "in two columns", " checked"),
        choice(&name, "one", "in one", ""),
    ))
}

fn choice(name: &str, columns: &str, text: &str, checked: &str) -> String {
    format!(
        "<label><input type=\"radio\" name=\"{name}\" \
         class=\"{columns}\"{checked}> {text}</label>\n"
    )
}

/// A table with a row for each run of lines that are the same, or differ. No
/// line of it is empty: that would end an HTML block in Markdown.
fn two_columns(diff: &TextDiff<str>, before: &str, after: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) =
        (diff.iter_old_slices().collect(), diff.iter_new_slices().collect());
    let mut html = format!(
        "<table class=\"two-columns\">\n<thead><tr><th scope=\"col\">{before}\
         </th><th scope=\"col\">{after}</th></tr></thead>\n<tbody>\n"
    );
    let mut seen = 0;
    for group in diff.grouped_ops(CONTEXT) {
        let start = group.first().map_or(seen, |op| op.old_range().start);
        html += &skipped(start - seen);
        for op in &group {
            let class = match op.tag() {
                DiffTag::Equal => "same",
                _ => "differs",
            };
            html += &format!(
                "<tr class=\"{class}\">{}{}</tr>\n",
                cell("old", &old, op.old_range()),
                cell("new", &new, op.new_range()),
            );
            seen = op.old_range().end;
        }
    }
    html += &skipped(old.len() - seen);
    html + "</tbody>\n</table>\n"
}

fn skipped(lines: usize) -> String {
    match lines {
        0 => String::new(),
        1 => row("1 line that is the same"),
        _ => row(&format!("{lines} lines that are the same")),
    }
}

fn row(text: &str) -> String {
    format!("<tr class=\"skipped\"><td colspan=\"2\">{text}</td></tr>\n")
}

/// Some lines, with their numbers.
fn cell(class: &str, lines: &[&str], range: Range<usize>) -> String {
    if range.is_empty() {
        return format!("<td class=\"{class} empty\"></td>");
    }
    let lines = range.map(|i| {
        let line = escaped(lines[i].trim_end());
        format!("<span data-line=\"{}\">{line}\n</span>", i + 1)
    });
    let lines: String = lines.collect();
    format!("<td class=\"{class}\"><pre>{lines}</pre></td>")
}

/// Text as HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
