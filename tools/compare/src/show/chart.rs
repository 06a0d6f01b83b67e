//! The charts, as SVG. Each has a title and a description in words.
//!
//! Every element is closed by `{}`: a void element of HTML isn't XML.

use maud::{Markup, html};

use super::{
    findings::findings,
    timeline::{Span, Wait},
};
use crate::{
    results::{IN_TIME_MS, Probe, Results, Server},
    words::{counted, percent, short, tick},
};

/// The colours, for light, dark and paper.
pub const STYLE: &str = include_str!("chart.css");

const WIDTH: f64 = 960.0;

/// Where the names end and the figures begin.
const LEFT: f64 = 76.0;
const RIGHT: f64 = WIDTH - 12.0;

/// A chart of this size, with the colours in it, as a file of its own.
pub fn alone(chart: &Markup) -> String {
    let (head, rest) = chart.0.split_once('>').unwrap_or((&chart.0, ""));
    format!("{head}><style>{STYLE}</style>{rest}\n")
}

fn svg(
    name: &str,
    height: f64,
    title: &str,
    description: &str,
    content: Markup,
) -> Markup {
    html! {
        svg.chart xmlns="http://www.w3.org/2000/svg"
            viewBox=(format!("0 0 {WIDTH} {height}"))
            role="img"
            aria-labelledby={ (name) "-title " (name) "-description" } {
            title id={ (name) "-title" } { (title) }
            desc id={ (name) "-description" } { (description) }
            rect.paper width=(WIDTH) height=(height) {}
            (content)
        }
    }
}

/// A lane per server: a mark for each probe, a bar for /blocking.
pub fn timeline(results: &Results) -> Markup {
    const TOP: f64 = 34.0;
    const LANE: f64 = 136.0;
    let lanes: Vec<_> = results
        .servers
        .iter()
        .filter_map(|server| Some((server, server.usual_run()?)))
        .collect();
    if lanes.is_empty() {
        return html! {};
    }
    let span = Span::of(lanes.iter().map(|(_, run)| *run));
    let bottom = TOP + LANE * lanes.len() as f64;
    let height = bottom + 36.0;
    let x = |ms| LEFT + span.part(ms) * (RIGHT - LEFT);
    let interval = results.settings.interval_ms as f64;
    let width = ((x(interval) - x(0.0)) * 0.8).clamp(0.6, 6.0);
    let latencies = lanes.iter().flat_map(|(_, run)| &run.probes);
    let scale = Scale::of(latencies.filter_map(|probe| probe.latency_ms));
    let content = html! {
        @for ms in span.ticks() {
            line.grid x1=(px(x(ms))) x2=(px(x(ms)))
                y1=(TOP - 8.0) y2=(bottom - 6.0) {}
            text.tick x=(px(x(ms))) y=(TOP - 14.0) { (tick(ms)) }
        }
        @for (i, (server, run)) in lanes.iter().enumerate() {
            @let top = TOP + LANE * i as f64;
            (lane(server, &run.probes, top, span, &scale, width))
            @let (start, end) = (x(0.0), x(run.until_ms));
            rect.blocking x=(px(start)) y=(top + 106.0) rx="3"
                width=(px((end - start).max(2.0))) height="20" {
                title { "/blocking: " (short(run.until_ms)) }
            }
            text.on-bar x=(px(start + 8.0)) y=(top + 121.0) {
                "/blocking " (short(run.until_ms))
            }
        }
        @for (i, wait) in Wait::ALL.into_iter().enumerate() {
            @let x = LEFT + 150.0 * i as f64;
            rect.(class(wait)) x=(x) y=(bottom + 8.0) width="14" height="14" {}
            text x=(x + 20.0) y=(bottom + 20.0) { (wait.meaning()) }
        }
    };
    svg(
        "timeline",
        height,
        "How long /non-blocking took to answer, before, while and after \
         /blocking ran",
        &findings(results).join(" "),
        content,
    )
}

fn lane(
    server: &Server,
    probes: &[Probe],
    top: f64,
    span: Span,
    scale: &Scale,
    width: f64,
) -> Markup {
    const BASE: f64 = 100.0;
    const TALL: f64 = 70.0;
    let base = top + BASE;
    let y = |ms| base - scale.part(ms) * TALL;
    let shown =
        probes.iter().filter(|it| (span.from..=span.to).contains(&it.at_ms));
    html! {
        text.name x=(LEFT) y=(top + 18.0) { (server.name) }
        @for limit in [IN_TIME_MS, 1_000.0] {
            line.limit x1=(LEFT) x2=(RIGHT) y1=(px(y(limit))) y2=(px(y(limit))) {}
            text.axis x=(LEFT - 8.0) y=(px(y(limit) + 5.0)) { (tick(limit)) }
        }
        line.base x1=(LEFT) x2=(RIGHT) y1=(base) y2=(base) {}
        @for probe in shown {
            // One that failed is as tall as can be.
            @let height = probe.latency_ms.map_or(TALL, |ms| base - y(ms));
            @let x = LEFT + span.part(probe.at_ms) * (RIGHT - LEFT);
            rect.(class(Wait::of(probe)))
                x=(px(x)) y=(px(base - height))
                width=(px(width)) height=(px(height)) {
                title { (said(probe)) }
            }
        }
    }
}

fn said(probe: &Probe) -> String {
    let at = tick(probe.at_ms.round());
    match (&probe.latency_ms, &probe.error) {
        (Some(latency), _) => format!("{} at {at}", short(*latency)),
        (None, error) => {
            format!("{} at {at}", error.as_deref().unwrap_or("no answer"))
        }
    }
}

fn class(wait: Wait) -> &'static str {
    match wait {
        Wait::InTime => "in-time",
        Wait::Short => "short",
        Wait::Long => "long",
        Wait::Frozen => "frozen",
        Wait::Failed => "failed",
    }
}

/// Logarithmic: what is ten times as long is one step higher.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(times: impl Iterator<Item = f64>) -> Self {
        let worst = times.fold(1_000.0, f64::max);
        Self { least: 0.1, most: worst * 1.3 }
    }

    fn part(&self, ms: f64) -> f64 {
        let part = (ms / self.least).log10() / (self.most / self.least).log10();
        // The shortest is seen too.
        part.clamp(0.04, 1.0)
    }
}

/// How long /blocking took on each server.
pub fn blocking(results: &Results) -> Markup {
    let times = results
        .servers
        .iter()
        .filter_map(|server| Some((server, server.blocking?)));
    let longest = times.clone().map(|(_, it)| it.max_ms).fold(0.0, f64::max);
    let rows: Vec<_> = times
        .map(|(server, time)| {
            let speed_up = server
                .speed_up
                .map_or(String::new(), |it| format!(" · {it:.2} ×"));
            let median = short(time.median_ms);
            Row {
                name: &server.name,
                part: time.median_ms / longest,
                range: Some((time.min_ms / longest, time.max_ms / longest)),
                label: format!("{median}{speed_up}"),
            }
        })
        .collect();
    let title = "How long /blocking took: median, least to greatest, and \
                 speed-up against step 1";
    bars("blocking", title, "blocking", &rows)
}

/// What share of the probes was in time while /blocking ran.
pub fn in_time(results: &Results) -> Markup {
    let rows: Vec<_> = results
        .servers
        .iter()
        .filter_map(|server| {
            let during = server.during?;
            Some(Row {
                name: &server.name,
                part: during.in_time_share(),
                range: None,
                label: format!(
                    "{} of {}",
                    percent(during.in_time_share()),
                    during.probes
                ),
            })
        })
        .collect();
    let title = format!(
        "Probes of /non-blocking answered within {} while /blocking ran",
        tick(IN_TIME_MS)
    );
    bars("in-time", &title, "in-time", &rows)
}

struct Row<'a> {
    name: &'a str,
    part: f64,
    range: Option<(f64, f64)>,
    label: String,
}

fn bars(name: &str, title: &str, class: &str, rows: &[Row]) -> Markup {
    const PITCH: f64 = 46.0;
    const LABELS: f64 = 200.0;
    let longest = rows.iter().map(|row| row.name.chars().count()).max();
    let left = 24.0 + 9.6 * longest.unwrap_or(0) as f64;
    let x = |part: f64| left + part * (WIDTH - left - LABELS);
    let height = PITCH * rows.len() as f64 + 8.0;
    let description = rows
        .iter()
        .map(|row| format!("{}: {}.", row.name, row.label))
        .collect::<Vec<_>>()
        .join(" ");
    let content = html! {
        line.base x1=(left) x2=(left) y1="4" y2=(height - 4.0) {}
        @for (i, row) in rows.iter().enumerate() {
            @let middle = PITCH * (i as f64 + 0.5) + 4.0;
            text.name.end x=(left - 12.0) y=(middle + 5.0) { (row.name) }
            rect.(class) x=(left) y=(middle - 14.0) height="28"
                width=(px((x(row.part) - left).max(0.0))) rx="3" {
                title { (row.name) ": " (row.label) }
            }
            @if let Some((from, to)) = row.range {
                path.whisker d=(format!(
                    "M{0:.1} {1} v12 m0 -6 H{2:.1} m0 -6 v12",
                    x(from), middle - 6.0, x(to),
                )) {}
            }
            @let end = row.range.map_or(row.part, |(_, to)| to);
            text.value x=(px(x(end) + 10.0)) y=(middle + 6.0) { (row.label) }
        }
    };
    svg(name, height, title, &description, content)
}

/// What [`scaling`] shows.
pub const SCALING: &str = "How many times as fast as with one thread, by the \
    medians: ideal, measured, and by Amdahl's law if the share p of the work \
    can be divided. Nothing was probed meanwhile.";

/// The shares of the work for which Amdahl's law is drawn.
const DIVISIBLE: [f64; 3] = [0.5, 0.8, 0.95];

/// The speed-up against the number of threads, beside the ideal one and that
/// of Amdahl's law.
pub fn scaling(results: &Results) -> Markup {
    const HEIGHT: f64 = 460.0;
    const BOTTOM: f64 = HEIGHT - 52.0;
    const TOP: f64 = 40.0;
    let points: Vec<_> = results
        .scaling
        .iter()
        .filter_map(|it| Some((it.threads as f64, it.speed_up?)))
        .collect();
    let most =
        points.iter().fold(2.0, |most: f64, (n, s)| most.max(*n).max(*s));
    let x = |n: f64| LEFT + (n - 1.0) / (most - 1.0) * (RIGHT - LEFT - 120.0);
    let y = |n: f64| BOTTOM - n / most * (BOTTOM - TOP);
    let line = |points: &[(f64, f64)]| {
        let point = |(n, s): &(f64, f64)| format!("{:.1},{:.1}", x(*n), y(*s));
        points.iter().map(point).collect::<Vec<_>>().join(" ")
    };
    let law = |p: f64| {
        let n = (0..=60).map(|i| 1.0 + f64::from(i) / 60.0 * (most - 1.0));
        n.map(|n| (n, 1.0 / (1.0 - p + p / n))).collect::<Vec<_>>()
    };
    let words = |(n, speed_up): &(f64, f64)| {
        format!(
            "{}: {speed_up:.2} times as fast, efficiency {}.",
            counted(*n as usize, "thread"),
            percent(speed_up / n)
        )
    };
    let description: Vec<_> = points.iter().map(words).collect();
    let cores = results.machine.cores.map(|cores| cores as f64);
    let end = px(x(most) + 10.0);
    let content = html! {
        @for (n, _) in &points {
            line.grid x1=(px(x(1.0))) x2=(px(x(most)))
                y1=(px(y(*n))) y2=(px(y(*n))) {}
            text.axis x=(LEFT - 8.0) y=(px(y(*n) + 5.0)) { (n) " ×" }
            text.tick x=(px(x(*n))) y=(BOTTOM + 22.0) { (n) }
        }
        text.tick x=(px(x(most.midpoint(1.0)))) y=(BOTTOM + 44.0) { "threads" }
        @if let Some(cores) = cores.filter(|cores| *cores <= most) {
            line.limit x1=(px(x(cores))) x2=(px(x(cores))) y1="8" y2=(BOTTOM) {}
            text x=(px(x(cores) + 8.0)) y="22" {
                (counted(cores as usize, "core"))
            }
        }
        line.base x1=(px(x(1.0))) x2=(px(x(most))) y1=(BOTTOM) y2=(BOTTOM) {}
        @for p in DIVISIBLE {
            @let law = law(p);
            polyline.law points=(line(&law)) {}
            @if let Some((_, speed_up)) = law.last() {
                text x=(end) y=(px(y(*speed_up) + 5.0)) { "p = " (percent(p)) }
            }
        }
        polyline.ideal points=(line(&[(1.0, 1.0), (most, most)])) {}
        text x=(end) y=(px(y(most) + 5.0)) { "ideal" }
        polyline.measured points=(line(&points)) {}
        @for point in &points {
            circle.point cx=(px(x(point.0))) cy=(px(y(point.1))) r="6" {
                title { (words(point)) }
            }
        }
        @if let Some((n, speed_up)) = points.last() {
            text.value.end x=(px(x(*n))) y=(px(y(*speed_up) - 14.0)) {
                (format!("{speed_up:.2} × measured"))
            }
        }
    };
    let title = "Speed-up of /blocking against the number of threads";
    svg("scaling", HEIGHT, title, &description.join(" "), content)
}

/// A coordinate: a tenth of a pixel is exact enough.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use roxmltree::Document;

    use super::*;
    use crate::samples::results;

    #[test]
    fn every_chart_is_well_formed_and_says_in_words_what_it_shows() {
        let results = results();
        for chart in [
            timeline(&results),
            blocking(&results),
            in_time(&results),
            scaling(&results),
        ] {
            let file = alone(&chart);
            let document = Document::parse(&file).unwrap();
            let svg = document.root_element();
            let text = |tag| {
                let mut all = svg.children();
                all.find(|it| it.has_tag_name(tag)).and_then(|it| it.text())
            };
            let ns = "http://www.w3.org/2000/svg";
            assert!(!text((ns, "title")).unwrap().is_empty());
            assert!(
                text((ns, "desc")).unwrap().contains("step1-blocking")
                    || text((ns, "desc")).unwrap().contains("1 thread:")
            );
        }
    }

    #[test]
    fn the_timeline_has_a_mark_for_every_probe_that_it_shows() {
        let results = results();
        let file = alone(&timeline(&results));
        let document = Document::parse(&file).unwrap();
        let marks = |class: &str| {
            let all = document.descendants();
            // The legend has one that says nothing.
            all.filter(|it| it.attribute("class") == Some(class)).count() - 1
        };
        // Every 10 ms of the 3.01 s: above 1 s, 100 ms and 10 ms.
        assert_eq!(marks("frozen"), 201);
        assert_eq!(marks("long"), 90);
        assert_eq!(marks("failed"), 100 + 30);
    }

    #[test]
    fn bars_and_lines_stand_where_the_figures_say() {
        let results = results();
        assert_snapshot!(
            "blocking",
            blocking(&results).0.replace("><", ">\n<")
        );
        assert_snapshot!("in_time", in_time(&results).0.replace("><", ">\n<"));
        assert_snapshot!("scaling", scaling(&results).0.replace("><", ">\n<"));
    }
}
