//! The difference between two steps as HTML.
//!
//! | for | a page needs |
//! |---|---|
//! | one difference in it, as a chapter of the book | [`fragment`], [`style`] |
//! | the projector | [`page`] as [`PAGE`], and beside it [`style`] as `difference.css` and [`SCRIPT`] as `difference.js` |
//!
//! The HTML itself contains no style and no script, so a
//! Content-Security-Policy needs no `unsafe-inline`. Only the keys need
//! JavaScript.

use std::fmt::Debug;

use crate::{Difference, File, Kind, Line, Part, Piece, Row};

/// The style sheet without what [`style`] adds.
const STYLE: &str = include_str!("difference.css");

/// The keys and buttons of the [`page`]: from hunk to hunk, from step to step,
/// back.
pub const SCRIPT: &str = include_str!("projector.js");

/// The name of the [`page`], for links to `difference.html#diff-3-4`.
pub const PAGE: &str = "difference.html";

/// Lines with more indentation wrap as if they had this much.
const INDENTATION: usize = 40;

/// The style sheet.
pub fn style() -> String {
    let kinds = ["comment", "keyword", "type", "function", "text", "number"];
    let colour =
        |kind| format!(".difference .{kind} {{ color: var(--{kind}); }}\n");
    let indent = |n| format!(".difference .indent-{n} {{ --indent: {n}; }}\n");
    let rules = kinds.map(colour).into_iter();
    let rules: String = rules.chain((1..=INDENTATION).map(indent)).collect();
    format!("{STYLE}\n{rules}")
}

/// A difference as a `<section>` with the `id` `diff-3-4`. `aside` is HTML for
/// the end of its title: a link to the [`page`], for instance, or nothing.
///
/// None of its lines is empty: that would end a block of HTML in Markdown.
pub fn fragment(difference: &Difference, aside: &str) -> String {
    let (before, after) = difference.numbers;
    let (old, new) = difference.steps;
    let files = difference.files.iter().map(|each| file(each, old, new));
    let files: String = files.collect();
    format!(
        "<section class=\"difference\" id=\"diff-{before}-{after}\">\n\
         <div class=\"title\">{}{aside}</div>\n{files}</section>\n",
        title(&format!("{old} → {new}"))
    )
}

/// The heading above a difference, so that a screen reader can go
/// from one to the next.
pub fn title(text: &str) -> String {
    format!("<span role=\"heading\" aria-level=\"2\">{text}</span>")
}

/// A page with all the differences, large enough for a class. `class` is one of
/// the stylesheet's, or empty.
pub fn page(heading: &str, class: &str, differences: &[Difference]) -> String {
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
    let all: String = differences
        .iter()
        .map(|difference| fragment(difference, &keys))
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{heading}</title>\n\
         <script src=\"difference.js\"></script>\n\
         <link rel=\"stylesheet\" href=\"difference.css\">\n</head>\n\
         <body class=\"projection {class}\">\n<main>\n<h1>{heading}</h1>\n\
         {all}</main>\n</body>\n</html>\n"
    )
}

fn file(file: &File, old: &str, new: &str) -> String {
    let name =
        |step: &str| format!("<span>{step}/src/{}</span>", escaped(&file.name));
    let old = file.in_old.then(|| name(old));
    let new = file.in_new.then(|| name(new));
    let class = if old.is_some() && new.is_some() { "" } else { " whole" };
    let names: String = old.into_iter().chain(new).collect();
    let parts = file.parts.iter().filter(|part| !part.is_blank());
    let parts: String = parts.map(part).collect();
    format!(
        "<div class=\"file{class}\">\n<div class=\"names\">{names}</div>\n\
         {parts}</div>\n"
    )
}

fn part(part: &Part) -> String {
    let rows: String = part.rows.iter().map(row).collect();
    let caption = escaped(&part.caption);
    if part.folded {
        format!("<details>\n<summary>{caption}</summary>\n{rows}</details>\n")
    } else {
        format!(
            "<div class=\"hunk\">\n<div class=\"caption\">{caption}</div>\n\
             {rows}</div>\n"
        )
    }
}

fn row(row: &Row) -> String {
    format!(
        "<div class=\"row {}\">{}{}</div>\n",
        class(row.change()),
        side("old", "del", row.old.as_ref()),
        side("new", "ins", row.new.as_ref()),
    )
}

fn side(side: &str, mark: &str, line: Option<&Line>) -> String {
    let Some(line) = line else {
        return format!("<div class=\"{side} none\"></div>");
    };
    let text = line.text();
    let indent = text.len() - text.trim_start_matches(' ').len();
    let indent = indent.min(INDENTATION);
    let runs = line.pieces.chunk_by(|a, b| a.changed == b.changed);
    let runs = runs.map(|run| {
        let pieces: String = run.iter().map(piece).collect();
        if run[0].changed {
            format!("<{mark}>{pieces}</{mark}>")
        } else {
            pieces
        }
    });
    format!(
        "<div class=\"{side} indent-{indent}\" data-line=\"{}\">{}</div>",
        line.number,
        runs.collect::<String>(),
    )
}

fn piece(Piece { text, kind, .. }: &Piece) -> String {
    let text = escaped(text.trim_end_matches(['\r', '\n']));
    match kind {
        _ if text.is_empty() => text,
        // Where a long line wraps: between calls, and, if there is little room,
        // before arguments.
        Kind::Plain => text
            .replace('(', "(<wbr class=\"arguments\">")
            .replace("(<wbr class=\"arguments\">)", "()")
            .replace(").", ")<wbr>."),
        kind => format!("<span class=\"{}\">{text}</span>", class(kind)),
    }
}

/// The class in the style sheet.
fn class(name: impl Debug) -> String {
    format!("{name:?}").to_lowercase()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The relative luminance of `#rrggbb`, and 0.05
    /// (<https://www.w3.org/TR/WCAG22/#dfn-relative-luminance>).
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16);
            let value = f64::from(value.expect("it is hexadecimal")) / 255.0;
            match value {
                ..=0.04045 => value / 12.92,
                _ => ((value + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5) + 0.05
    }

    #[test]
    fn every_colour_can_be_read_on_every_ground_in_light_and_in_dark() {
        let colour = |line: &'static str| {
            let (name, rest) = line.trim().split_once(": light-dark(")?;
            let (light, dark) = rest.strip_suffix(");")?.split_once(", ")?;
            let name =
                name.strip_prefix("--").filter(|name| *name != "line")?;
            Some((name, [light, dark].map(luminance)))
        };
        let colours = STYLE.lines().filter_map(colour);
        let (grounds, inks): (Vec<_>, Vec<_>) =
            colours.partition(|(name, _)| name.ends_with("ground"));
        assert_eq!((grounds.len(), inks.len()), (6, 7));
        for (ink, inks) in inks {
            for (ground, grounds) in &grounds {
                for (a, b) in inks.iter().zip(grounds) {
                    let contrast = a.max(*b) / a.min(*b);
                    assert!(
                        contrast >= 4.5,
                        "{ink} on {ground}: {contrast:.2}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_line_is_empty_as_markdown_wants_it_and_nothing_is_inline() {
        let all = Difference::all().expect("the steps are there");
        let html = page("From step to step", "", &all);
        assert!(html.lines().all(|line| !line.trim().is_empty()));
        for inline in ["<style", "<script>", " style=", " onclick="] {
            assert!(!html.contains(inline), "{inline}");
        }
    }

    #[test]
    fn code_is_text_with_colours_and_marks_and_not_html() {
        let file = File::new(
            "main.rs",
            Some("let a::<&T>;\n"),
            Some("let b::<&T>;\n"),
        );
        let html = part(&file.parts[0]);
        let rest = "::&lt;&amp;<span class=\"type\">T</span>&gt;;</div>";
        assert!(html.contains(&format!("<del>a</del>{rest}")), "{html}");
        assert!(html.contains(&format!("<ins>b</ins>{rest}")), "{html}");
    }
}
