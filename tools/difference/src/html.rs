//! The difference of two steps as HTML.
//!
//! | for | a page needs |
//! |---|---|
//! | one difference in it, as a chapter of the book | [`fragment`], [`style`] |
//! | the projector | [`page`] as [`PAGE`], and beside it [`style`] as `difference.css` and [`SCRIPT`] as `difference.js` |
//! | both in one, as the stage | [`fragment`], [`style`], [`SCRIPT`]; while its `body` has the class `projection`, all is large and the keys work |
//!
//! No style and no script stands in the HTML itself, so that a
//! Content-Security-Policy needs no `unsafe-inline`. All is read without
//! JavaScript: that is for keys, and for nothing else.

use crate::{Change, Difference, File, Kind, Line, Part, Row};

/// The style sheet without what [`style`] adds.
const STYLE: &str = include_str!("difference.css");

/// The keys and buttons of the [`page`]: from hunk to hunk, from step to step, back. A
/// page that takes a key for itself prevents its default before.
pub const SCRIPT: &str = include_str!("projector.js");

/// The name of the [`page`], for links to `difference.html#diff-3-4`.
pub const PAGE: &str = "difference.html";

/// Lines that are indented more wrap as if they were indented so far.
const INDENTATION: usize = 40;

/// The style sheet.
pub fn style() -> String {
    let indent = |n| format!(".difference .indent-{n} {{ --indent: {n}; }}\n");
    let indents: String = (1..=INDENTATION).map(indent).collect();
    format!("{STYLE}\n{indents}")
}

/// A difference as a `<section>` with the `id` `diff-3-4`. `aside` is HTML for
/// the end of its title: a link to the [`page`], say, or nothing.
///
/// No line of it is empty: that would end a block of HTML in Markdown.
pub fn fragment(difference: &Difference, aside: &str) -> String {
    let (before, after) = difference.numbers;
    let (old, new) = difference.steps;
    let files = difference.files.iter().map(|it| file(it, old, new));
    let files: String = files.collect();
    format!(
        "<section class=\"difference\" id=\"diff-{before}-{after}\">\n\
         <div class=\"title\"><span>{old} → {new}</span>{aside}</div>\n\
         {files}</section>\n"
    )
}

/// A page with all of the differences, as large as a class needs it.
pub fn page(differences: &[Difference]) -> String {
    let key =
        |key, shown| format!("<button data-key=\"{key}\">{shown}</button>");
    let keys = format!(
        "<span class=\"keys\">{}{} change {}{} step {} full screen {} \
         back</span>",
        key("ArrowRight", "→"),
        key("ArrowLeft", "←"),
        key("n", "n"),
        key("p", "p"),
        key("f", "f"),
        key("Escape", "Esc"),
    );
    let all: String =
        differences.iter().map(|it| fragment(it, &keys)).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>From step to step</title>\n\
         <link rel=\"stylesheet\" href=\"difference.css\">\n\
         <script src=\"difference.js\"></script>\n</head>\n\
         <body class=\"projection\">\n{all}</body>\n</html>\n"
    )
}

fn file(file: &File, old: &str, new: &str) -> String {
    let name = |step: &str| format!("{step}/src/{}", escaped(&file.name));
    let (class, names) = match (file.in_old, file.in_new) {
        (true, true) => (
            "file",
            format!("<span>{}</span><span>{}</span>", name(old), name(new)),
        ),
        (false, _) => ("file whole", format!("<span>{}</span>", name(new))),
        (true, false) => ("file whole", format!("<span>{}</span>", name(old))),
    };
    let parts = file.parts.iter().filter(|it| !it.is_blank());
    let parts: String = parts.map(part).collect();
    format!(
        "<div class=\"{class}\">\n<div class=\"names\">{names}</div>\n\
         {parts}</div>\n"
    )
}

fn part(part: &Part) -> String {
    let rows: String = part.rows.iter().map(row).collect();
    let caption = escaped(&part.caption);
    match part.folded {
        true => format!(
            "<details>\n<summary>{caption}</summary>\n{rows}</details>\n"
        ),
        false => format!(
            "<div class=\"hunk\">\n<div class=\"caption\">{caption}</div>\n\
             {rows}</div>\n"
        ),
    }
}

fn row(row: &Row) -> String {
    let class = match row.change() {
        Change::Same => "same",
        Change::Changed => "changed",
        Change::Removed => "removed",
        Change::Added => "added",
    };
    format!(
        "<div class=\"row {class}\">{}{}</div>\n",
        side("old", "del", row.old.as_ref()),
        side("new", "ins", row.new.as_ref()),
    )
}

fn side(class: &str, mark: &str, line: Option<&Line>) -> String {
    let Some(line) = line else {
        return format!("<div class=\"{class} none\"></div>");
    };
    let text = line.text();
    let indent = text.len() - text.trim_start_matches(' ').len();
    let indent = indent.min(INDENTATION);
    let mut html = format!(
        "<div class=\"{class} indent-{indent}\" data-line=\"{}\">",
        line.number
    );
    for run in line.pieces.chunk_by(|a, b| a.changed == b.changed) {
        let pieces: String = run
            .iter()
            .map(|it| {
                let text = escaped(it.text.trim_end_matches(['\r', '\n']));
                match it.kind {
                    _ if text.is_empty() => text,
                    // Where a long line wraps: between calls, and, where there
                    // is little room, before arguments.
                    Kind::Plain => text
                        .replace('(', "(<wbr class=\"arguments\">")
                        .replace("(<wbr class=\"arguments\">)", "()")
                        .replace(").", ")<wbr>."),
                    kind => {
                        let class = class_of(kind);
                        format!("<span class=\"{class}\">{text}</span>")
                    }
                }
            })
            .collect();
        html += &match run[0].changed {
            true => format!("<{mark}>{pieces}</{mark}>"),
            false => pieces,
        };
    }
    html + "</div>"
}

/// The class of the style sheet.
fn class_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Plain => "plain",
        Kind::Comment => "comment",
        Kind::Keyword => "keyword",
        Kind::Type => "type",
        Kind::Function => "function",
        Kind::Text => "text",
        Kind::Number => "number",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The relative luminance of `#rrggbb`
    /// (<https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>).
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16);
            let value = f64::from(value.expect("it is hexadecimal")) / 255.0;
            match value <= 0.04045 {
                true => value / 12.92,
                false => ((value + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    /// The colours of the style sheet by their names, light and dark.
    fn colours() -> BTreeMap<&'static str, [&'static str; 2]> {
        let colour = |line: &'static str| {
            let (name, rest) = line.trim().split_once(": light-dark(")?;
            let (light, dark) = rest.strip_suffix(");")?.split_once(", ")?;
            Some((name.strip_prefix("--")?, [light, dark]))
        };
        STYLE.lines().filter_map(colour).collect()
    }

    #[test]
    fn every_colour_can_be_read_on_every_ground_in_light_and_in_dark() {
        let colours = colours();
        let is_ground = |name: &str| name.ends_with("ground");
        let grounds = colours.iter().filter(|it| is_ground(it.0));
        let grounds: Vec<_> = grounds.collect();
        assert_eq!(grounds.len(), 6);
        let mut inks = 0;
        for (ink, ink_colours) in &colours {
            if is_ground(ink) || *ink == "line" {
                continue;
            }
            inks += 1;
            for (ground, ground_colours) in &grounds {
                for i in [0, 1] {
                    let found = contrast(ink_colours[i], ground_colours[i]);
                    assert!(found >= 4.5, "{ink} on {ground}: {found:.2}");
                }
            }
        }
        assert_eq!(inks, 7);
    }

    #[test]
    fn no_line_is_empty_for_that_would_end_the_html_in_markdown() {
        for difference in Difference::all().expect("the steps are there") {
            let html = fragment(&difference, "");
            assert!(html.lines().all(|line| !line.trim().is_empty()));
        }
    }

    #[test]
    fn no_style_and_no_script_stands_in_the_html() {
        let html = page(&Difference::all().expect("the steps are there"));
        for inline in ["<style", "<script>", " style=", " onclick="] {
            assert!(!html.contains(inline), "{inline}");
        }
    }

    #[test]
    fn code_is_text_with_colours_and_marks_and_not_html() {
        let file =
            File::new("main.rs", Some("a::<&T>();\n"), Some("b::<&T>();\n"));
        let html = part(&file.parts[0]);
        let rest = "::&lt;&amp;<span class=\"type\">T</span>&gt;();</div>";
        assert!(html.contains(&format!("<del>a</del>{rest}")), "{html}");
        assert!(html.contains(&format!("<ins>b</ins>{rest}")), "{html}");
    }
}
