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
};
use crate::{
    format::short,
    results::{Probe, Results},
};

/// What isn't drawn.
const STYLE: &str = include_str!("report.css");

/// Writes both files into this folder, and makes it if there is none. Returns
/// the path of the page.
///
/// # Errors
/// When a file can't be written.
pub fn write(results: &Results, folder: &Path) -> Result<PathBuf, String> {
    let folder = absolute(folder).unwrap_or_else(|_| folder.into());
    let json = serde_json::to_string(results).map_err(|it| it.to_string())?;
    let write = |name, text| {
        let path = folder.join(name);
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| {
                let path = path.display();
                format!(
                    "can't write {path}: {error}; choose another folder with \
                     --report"
                )
            })?;
        Ok(path)
    };
    write("results.json", json + "\n")?;
    write("report.html", html(results).into_string())
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
                style { (PreEscaped(chart::STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                h1 { "The steps side by side" }
                p { (machine(results)) br; (settings(results)) }
                h2 { "How long clients wait while /blocking runs" }
                (timeline(results))
                ul { @for finding in findings(results) { li { (finding) } } }
                h2 { "The numbers" }
                (table(table::SERVERS, table::servers(results)))
                p { (table::EXPLAINED) }
                @if !results.scaling.is_empty() {
                    h2 { "What each thread gains" }
                    (chart::scaling(results))
                    p { (chart::EXPLAINED) }
                    (table(table::SCALING, table::scaling(results)))
                }
            }
        }
    }
}

/// A lane per server: a mark for each probe, a bar for /blocking. Their
/// horizontal positions are milliseconds.
fn timeline(results: &Results) -> Markup {
    let servers = results.servers.iter();
    let lanes =
        servers.filter_map(|server| Some((server, server.runs.last()?)));
    let lanes: Vec<_> = lanes.collect();
    let longest = lanes.iter().map(|(_, run)| run.until_ms).fold(0.0, f64::max);
    let mark = results.settings.interval_ms as f64 * 0.8;
    html! {
        @for (server, run) in lanes {
            h3 { (server.name) ": /blocking " (short(run.until_ms)) }
            svg.drawing.run preserveAspectRatio="none"
                viewBox=(format!("{:.1} 0 {:.1} 7", -0.1 * longest, 1.2 * longest)) {
                @for probe in &run.probes {
                    @let height = height(probe);
                    rect.(if probe.is_in_time() { "quick" } else { "waits" })
                        x=(probe.at_ms) y=(format!("{:.2}", 6.0 - height))
                        width=(mark) height=(format!("{height:.2}")) {}
                }
                rect.busy y="6.2" width=(run.until_ms) height="0.6" {}
            }
        }
        p {
            "The bar shows how long /blocking took, in the last run. Each mark \
             above it is a request to /non-blocking, at the moment when it was \
             due; the longer its answer took, the higher it is: ten times as \
             long is one step. Green ones were answered within "
            (results.settings.in_time_ms) " ms."
        }
    }
}

/// How tall a mark is: from 0.1 ms on, one step for ten times as long. One that
/// failed is as tall as can be.
fn height(probe: &Probe) -> f64 {
    let steps = |ms: f64| (ms / 0.1).log10().clamp(0.2, 6.0);
    probe.latency_ms.map_or(6.0, steps)
}

fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> Markup {
    html! {
        table {
            tr { @for cell in head { th scope="col" { (cell) } } }
            @for row in rows {
                tr { @for cell in row { td { (cell) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::comparison;

    #[test]
    fn names_and_messages_are_text_and_every_probe_is_a_mark() {
        let page = html(&comparison()).into_string();
        assert!(page.contains("died &lt;early&gt;"));
        assert!(page.contains("out of &amp; luck"));
        assert!(!page.contains("<early>"));
        let marks =
            |class| page.matches(&format!("<rect class=\"{class}\"")).count();
        assert_eq!(marks("busy"), 6);
        // Each of step 1's but the last, and of the one that died.
        assert_eq!(marks("waits"), 339 + 330);
        // As a file of the book, the chart has to be XML: each tag has its end.
        let chart = chart::scaling(&comparison()).into_string();
        let ends = chart.matches("</").count();
        assert_eq!(chart.matches('<').count(), 2 * ends, "{chart}");
    }
}
