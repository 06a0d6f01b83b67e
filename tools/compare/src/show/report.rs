//! The files of the report.

use std::{
    fs, io,
    path::{Path, PathBuf, absolute},
};

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    chart,
    findings::{all, machine, settings},
    table::{self, Rows},
};
use crate::results::Results;

const STYLE: &str = include_str!("report.css");

/// The folder of the report.
pub struct Report {
    folder: PathBuf,
}

impl Report {
    /// Makes the folder and tries to write there, so that a mistake is noticed
    /// before the measuring, not after.
    ///
    /// # Errors
    /// When it can't be made or written to.
    pub fn create(folder: &Path) -> Result<Self, String> {
        let folder = absolute(folder).unwrap_or_else(|_| folder.into());
        let trial = folder.join(".trial");
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&trial, ""))
            .and_then(|()| fs::remove_file(&trial))
            .map_err(|error| cannot_write(&folder, &error))?;
        Ok(Self { folder })
    }

    /// Writes both files. Returns the path of the page.
    ///
    /// # Errors
    /// When a file can't be written; the others are written all the same.
    pub fn write(&self, results: &Results) -> Result<PathBuf, String> {
        let json = serde_json::to_string(results);
        let files = [
            ("results.json", json.map(|json| json + "\n")),
            ("report.html", Ok(html(results).into_string())),
        ];
        let outcomes = files.map(|(name, text)| {
            let path = self.folder.join(name);
            // Killed at any moment, this leaves the old file or the new one.
            let new = self.folder.join(format!(".{name}.new"));
            text.map_err(io::Error::from)
                .and_then(|text| fs::write(&new, text))
                .and_then(|()| fs::rename(&new, &path))
                .map_err(|error| {
                    fs::remove_file(&new).ok();
                    cannot_write(&path, &error)
                })
        });
        outcomes.into_iter().collect::<Result<(), _>>()?;
        Ok(self.folder.join("report.html"))
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> String {
    format!(
        "can't write {}: {error}; choose another folder with --report",
        path.display()
    )
}

/// The page: one file that needs no other.
fn html(results: &Results) -> Markup {
    let probed = results.servers.iter().any(|server| !server.runs.is_empty());
    let interval = results.settings.interval_ms;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "The steps side by side" }
                style { (PreEscaped(STYLE)) (PreEscaped(chart::STYLE)) }
            }
            body {
                h1 { "The steps side by side" }
                p.facts { (machine(results)) br; (settings(results)) }
                @if probed {
                    (figure("How long clients wait while /blocking runs", &chart::timeline(results), &format!(
                        "Each mark is a request to /non-blocking, one every \
                         {interval} ms, at the moment when it was due. The \
                         higher it is, the longer its answer took, on a \
                         logarithmic scale. Each lane shows the run of median \
                         length. /blocking is sent at 0 s."
                    )))
                }
                section {
                    h2 { "What you see" }
                    ul {
                        @for finding in all(results) { (sentence(&finding)) }
                    }
                }
                (table("The numbers", table::servers(results)))
                @if !results.scaling.is_empty() {
                    (figure(
                        "What each thread gains",
                        &chart::scaling(results),
                        chart::SCALING,
                    ))
                    (table("Threads in numbers", table::scaling(results)))
                }
                section {
                    h2 { "How it was measured" }
                    p.note {
                        "Probes are sent on a fixed schedule, whether or not \
                         earlier ones are answered, and a latency counts from \
                         the moment when the probe was due. So a server that \
                         freezes can't hide that. A probe counts as sent \
                         while /blocking ran if it could also have been \
                         answered in time before /blocking ended. Percentiles \
                         are over the probes of all runs, by the nearest \
                         rank: each is one of the samples. All samples are in "
                        a href="results.json" { "results.json" } "."
                    }
                }
            }
        }
    }
}

/// The part before a colon can be read from the back row.
fn sentence(text: &str) -> Markup {
    let (head, rest) = text.split_once(':').unwrap_or(("", text));
    html! { li { strong { (head) } @if !head.is_empty() { ":" } (rest) } }
}

fn figure(title: &str, chart: &Markup, caption: &str) -> Markup {
    html! {
        section {
            h2 { (title) }
            figure {
                (chart)
                figcaption { (caption) }
            }
        }
    }
}

fn table(title: &str, rows: Rows) -> Markup {
    let [head, rest @ ..] = &rows[..] else { return html! {} };
    html! {
        section {
            h2 { (title) }
            // It can be scrolled by keyboard where it is wider than the page.
            div.wide tabindex="0" role="group" aria-label=(title) {
                table {
                    thead { tr { @for cell in head { th scope="col" { (cell) } } } }
                    @for row in rest {
                        @let columns = (row.len() == 1).then_some(head.len());
                        tr { @for cell in row {
                            td colspan=[columns] { (cell) }
                        } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{env, process};

    use harness::Browser;

    use super::*;
    use crate::samples::comparison;

    #[test]
    fn the_page_needs_no_other_file() {
        let page = html(&comparison()).into_string();
        for reference in ["src=", "<link", "<script", "@import", "url("] {
            assert!(!page.contains(reference), "{reference}");
        }
    }

    #[test]
    fn names_and_messages_are_text_not_markup() {
        let page = html(&comparison()).into_string();
        assert!(page.contains("died &lt;early&gt;"));
        assert!(page.contains("out of &amp; luck"));
        assert!(!page.contains("<early>"));
    }

    #[test]
    fn the_freeze_and_every_label_are_seen_in_a_narrow_window_too() {
        let Some(mut browser) = Browser::start() else { return };
        let folder = env::temp_dir().join(format!("report-{}", process::id()));
        let page =
            Report::create(&folder).unwrap().write(&comparison()).unwrap();
        for (width, scheme) in [(400, "light"), (400, "dark"), (1280, "light")]
        {
            browser.look(width, 900, scheme);
            browser.open(&format!("file://{}", page.display()));
            let over = "document.documentElement.scrollWidth > innerWidth";
            assert_eq!(browser.evaluate(over), false, "{width}: it scrolls");
            let amiss = browser.evaluate(AMISS);
            assert_eq!(amiss.as_str(), Some(""), "{width}");
            let freeze = browser.evaluate(FREEZE).as_f64().unwrap();
            assert!(freeze > 0.2 * f64::from(width), "{width}: {freeze}");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    /// Labels that are cut off, or that lie on one another.
    const AMISS: &str = "
        [...document.querySelectorAll('.chart')].flatMap(chart => {
            const all = [...chart.querySelectorAll('text')]
                .map(it => [it.textContent, it.getBoundingClientRect()]);
            const { left, right } = chart.getBoundingClientRect();
            const cut = all.filter(([, it]) =>
                it.left < left - 1 || it.right > right + 1);
            const over = all.filter(([, a], i) => all.slice(0, i).some(
                ([, b]) => a.left < b.right && b.left < a.right
                    && a.top + 3 < b.bottom && b.top + 3 < a.bottom));
            return [...cut, ...over].map(([text]) => text);
        }).join(', ')";

    /// The width of all marks of probes that waited for more than a second.
    const FREEZE: &str = "(() => {
        const all = [...document.querySelectorAll('#timeline .frozen')]
            .map(it => it.getBoundingClientRect());
        const right = Math.min(innerWidth, all.at(-2).right);
        return right - all[0].left;
    })()";
}
