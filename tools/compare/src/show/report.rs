//! The files of the report.

use std::{
    fs,
    path::{Path, PathBuf, absolute},
};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    chart,
    findings::{findings, machine, settings},
    table,
    timeline::{Span, WAITS, lanes, wait_of},
};
use crate::{
    format::{short, tick},
    results::Results,
};

const STYLE: &str = include_str!("report.css");

/// Writes both files into this folder, and makes it if there is none. Returns
/// the path of the page.
///
/// # Errors
/// When a file can't be written; the other is written all the same.
pub fn write(results: &Results, folder: &Path) -> Result<PathBuf, String> {
    let folder = absolute(folder).unwrap_or_else(|_| folder.into());
    let json = serde_json::to_string(results).map_err(|it| it.to_string())?;
    let page = html(results).into_string();
    let write = |name, text| {
        let path = folder.join(name);
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| {
                format!(
                    "can't write {}: {error}; choose another folder with \
                     --report",
                    path.display()
                )
            })?;
        Ok(path)
    };
    let written = write("results.json", json + "\n");
    let page = write("report.html", page);
    written.and(page)
}

/// The page: one file that needs no other.
fn html(results: &Results) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "The steps side by side" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "The steps side by side" }
                p.note { (machine(results)) br; (settings(results)) }
                @if results.servers.iter().any(|it| !it.runs.is_empty()) {
                    h2 { "How long clients wait while /blocking runs" }
                    (timeline(results))
                    p.note {
                        "Each mark is a request to /non-blocking, one every "
                        (results.settings.interval_ms) " ms, at the moment \
                         when it was due. The higher it is, the longer its \
                         answer took, on a logarithmic scale. Each lane shows \
                         the run of median length, and /blocking as a bar \
                         from 0 s on."
                    }
                }
                h2 { "What you see" }
                ul {
                    @for finding in findings(results) {
                        // The part before a colon can be read from the back row.
                        @let (head, rest) = finding.split_at(finding.find(':').unwrap_or(0));
                        li { strong { (head) } (rest) }
                    }
                }
                h2 { "The numbers" }
                (table(table::SERVERS, table::servers(results)))
                p.note { (table::EXPLAINED) }
                @if !results.scaling.is_empty() {
                    h2 { "What each thread gains" }
                    (chart::scaling(results))
                    p.note { (chart::EXPLAINED) }
                    (table(table::SCALING, table::scaling(results)))
                }
                h2 { "How it was measured" }
                p {
                    "Probes are sent on a fixed schedule, whether or not \
                     earlier ones are answered, and a latency counts from \
                     the moment when the probe was due. So a server that \
                     freezes can't hide that. All samples are in "
                    a href="results.json" { "results.json" } "."
                }
            }
        }
    }
}

/// A lane per server: a mark for each probe, a bar for /blocking. Their
/// horizontal positions are milliseconds.
fn timeline(results: &Results) -> Markup {
    let lanes = lanes(results);
    let span = Span::new(&lanes);
    let width = span.to - span.from;
    let mark = results.settings.interval_ms as f64 * 0.8;
    html! {
        div.axis {
            @for ms in span.ticks() {
                span style=(format!("left: {:.2}%", span.part(ms) * 100.0)) {
                    (tick(ms))
                }
            }
        }
        @for (server, run) in lanes {
            h3 { (server.name) span { (short(run.until_ms)) } }
            svg.lane viewBox=(format!("{:.1} 0 {width:.1} 7", span.from))
                preserveAspectRatio="none" {
                @for probe in &run.probes {
                    @let height = height(probe.latency_ms);
                    rect.(WAITS[wait_of(probe)].class)
                        x=(probe.at_ms) y=(format!("{:.2}", 6.0 - height))
                        width=(mark) height=(format!("{height:.2}")) {}
                }
                rect.blocking y="6.2" width=(run.until_ms) height="0.6" {}
            }
        }
        p.legend {
            @for wait in &WAITS { span.(wait.class) { (wait.meaning) } }
        }
    }
}

/// How tall a mark is: from 0.1 ms on, one step for ten times as long. One that
/// failed is as tall as can be.
fn height(latency_ms: Option<f64>) -> f64 {
    let steps = |ms: f64| (ms / 0.1).log10().clamp(0.2, 6.0);
    latency_ms.map_or(6.0, steps)
}

fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> Markup {
    html! {
        table {
            thead { tr { @for cell in head { th scope="col" { (cell) } } } }
            @for row in rows {
                tr { @for cell in row { td { (cell) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{env, process};

    use harness::Browser;
    use serde_json::json;

    use super::*;
    use crate::samples::comparison;

    #[test]
    fn names_and_messages_are_text_and_every_probe_is_a_mark() {
        let page = html(&comparison()).into_string();
        assert!(page.contains("died &lt;early&gt;"));
        assert!(page.contains("out of &amp; luck"));
        assert!(!page.contains("<early>"));
        // Every 10 ms of the 3.01 s: above 1 s, 100 ms and 10 ms.
        let marks =
            |class| page.matches(&format!("<rect class=\"{class}\"")).count();
        assert_eq!(marks("frozen"), 201);
        assert_eq!(marks("long"), 90);
        assert_eq!(marks("failed"), 100 + 30);
    }

    #[test]
    fn the_freeze_is_seen_in_a_narrow_window_too() {
        let Some(mut browser) = Browser::start() else { return };
        let folder = env::temp_dir().join(format!("report-{}", process::id()));
        let page = write(&comparison(), &folder).unwrap();
        for width in [400, 1280] {
            browser.look(width, 900, "light");
            browser.open(&format!("file://{}", page.display()));
            let over = "document.documentElement.scrollWidth > innerWidth";
            assert_eq!(browser.evaluate(over), false, "{width}: it scrolls");
            let freeze = browser.evaluate(FREEZE).as_f64().unwrap();
            assert!(freeze > 0.2 * f64::from(width), "{width}: {freeze}");
        }
        fs::remove_dir_all(folder).unwrap();
        // The chart is a file of the book, too.
        let chart = json!(chart::scaling(&comparison()).into_string());
        let error = browser.evaluate(&format!(
            "new DOMParser().parseFromString({chart}, 'image/svg+xml')
                .querySelector('parsererror')?.textContent ?? ''"
        ));
        assert_eq!(error, "");
    }

    /// The width of all marks of probes that waited for more than a second.
    const FREEZE: &str = "(() => {
        const all = [...document.querySelectorAll('rect.frozen')]
            .map(it => it.getBoundingClientRect());
        return Math.min(innerWidth, all.at(-1).right) - all[0].left;
    })()";
}
