//! The charts, as SVG. Each has a title and a description in words.
//!
//! Every element is closed by `{}`: a void element of HTML isn't XML.

use maud::{Markup, html};

use super::{
    findings::findings,
    timeline::{Span, WAITS, wait_of},
};
use crate::{
    format::{counted, percent, sanitized, short, tick},
    results::{IN_TIME_MS, Results, Run, Server},
};

/// The colours, for light, dark and paper.
pub const STYLE: &str = include_str!("chart.css");

/// How tall a mark can be.
const TALL: f64 = 48.0;

/// Longer names are cut off.
const LONGEST_NAME: usize = 24;

/// A chart of this size, with its colours, as a separate file.
pub fn alone(chart: &Markup) -> String {
    let (head, rest) = chart.0.split_once('>').unwrap_or((&chart.0, ""));
    format!("{head}><style>{STYLE}</style>{rest}\n")
}

/// A chart is `high` pixels high and as wide as there is room, with its
/// horizontal positions in per cent, so that text keeps its size. Or it keeps
/// the `shape` of its view box, and is scaled as a whole.
fn svg(
    name: &str,
    high: Option<usize>,
    shape: Option<String>,
    title: &str,
    description: &str,
    content: Markup,
) -> Markup {
    html! {
        svg.chart id=(name) xmlns="http://www.w3.org/2000/svg"
            width=[high.map(|_| 960)] height=[high] viewBox=[shape]
            role="img"
            aria-labelledby={ (name) "-title " (name) "-description" } {
            title id={ (name) "-title" } { (title) }
            desc id={ (name) "-description" } { (description) }
            (content)
        }
    }
}

/// A lane per server: a mark for each probe, a bar for /blocking.
pub fn timeline(results: &Results) -> Markup {
    const TOP: usize = 34;
    const LANE: usize = 98;
    let lanes: Vec<_> = results
        .servers
        .iter()
        .filter_map(|server| Some((server, server.usual_run()?)))
        .collect();
    let span = Span::new(lanes.iter().map(|(_, run)| *run));
    let bottom = TOP + LANE * lanes.len();
    let interval = results.settings.interval_ms as f64;
    let width = (span.part(interval) - span.part(0.0)) * 0.8;
    let latencies = lanes.iter().flat_map(|(_, run)| &run.probes);
    let latencies = latencies.filter_map(|probe| probe.latency_ms);
    let most = latencies.fold(1_000.0, f64::max) * 1.3;
    // Logarithmic: ten times as long is one step higher. Even the shortest must
    // be visible.
    let height = |ms: f64| {
        ((ms / 0.1).log10() / (most / 0.1).log10()).clamp(0.04, 1.0) * TALL
    };
    let meanings = WAITS.map(|wait| (wait.class, wait.meaning));
    let meanings = meanings.into_iter().chain([("blocking", "/blocking")]);
    let content = html! {
        @for ms in span.ticks() {
            @let x = percents(span.part(ms));
            line.grid x1=(x) x2=(x) y1=(TOP - 8) y2=(bottom) {}
            text.tick x=(x) y=(TOP - 14) { (tick(ms)) }
        }
        @for (i, (server, run)) in lanes.iter().enumerate() {
            svg y=(TOP + LANE * i) width="100%" height=(LANE) {
                (lane(server, run, span, &height, width))
            }
        }
        @for (i, (class, meaning)) in meanings.enumerate() {
            @let (x, y) = (i % 2 * 50, bottom + 12 + i / 2 * 24);
            svg x={ (x) "%" } y=(y) width="50%" height="24" {
                rect.(class) width="14" height="14" {}
                text x="20" y="12" { (meaning) }
            }
        }
    };
    svg(
        "timeline",
        Some(bottom + 84),
        None,
        "How long /non-blocking took to answer, before, while and after \
         /blocking ran",
        &findings(results).join(" "),
        content,
    )
}

fn lane(
    server: &Server,
    run: &Run,
    span: Span,
    height: &impl Fn(f64) -> f64,
    width: f64,
) -> Markup {
    const BASE: f64 = 80.0;
    let y = |ms| px(BASE - height(ms));
    let shown = run.probes.iter();
    let shown =
        shown.filter(|probe| (span.from..=span.to).contains(&probe.at_ms));
    let time = short(run.until_ms);
    let length = span.part(run.until_ms) - span.part(0.0);
    html! {
        text.name y="16" { (sanitized(&server.name, LONGEST_NAME)) }
        text.end x="100%" y="16" { (time) }
        @for limit in [IN_TIME_MS, 1_000.0] {
            line.limit x2="100%" y1=(y(limit)) y2=(y(limit)) {}
            text.limit y=(y(limit)) dy="-3" { (tick(limit)) }
        }
        line.base x2="100%" y1=(BASE) y2=(BASE) {}
        @for probe in shown {
            // One that failed is as tall as can be.
            @let height = probe.latency_ms.map_or(TALL, height);
            rect.(WAITS[wait_of(probe)].class)
                x=(percents(span.part(probe.at_ms))) y=(px(BASE - height))
                width=(percents(width)) height=(px(height)) {}
        }
        rect.blocking x=(percents(span.part(0.0))) y="83" rx="3"
            width=(percents(length)) height="7" {}
    }
}

/// What [`scaling`] shows.
pub const SCALING: &str = "How many times as fast as with one thread, by the \
    medians: ideal, measured, and by Amdahl's law if the share p of the work \
    can be divided. Nothing was probed during that time.";

/// The shares of the work for which Amdahl's law is drawn.
const DIVISIBLE: [f64; 3] = [0.5, 0.8, 0.95];

/// The speed-up against the number of threads, next to the ideal one and the
/// one according to Amdahl's law.
pub fn scaling(results: &Results) -> Markup {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 400.0;
    const LEFT: f64 = 44.0;
    const RIGHT: f64 = WIDTH - 112.0;
    const BOTTOM: f64 = HEIGHT - 56.0;
    const TOP: f64 = 44.0;
    let points: Vec<_> = results
        .scaling
        .iter()
        .filter_map(|scaled| Some((scaled.threads as f64, scaled.speed_up?)))
        .collect();
    let most =
        points.iter().fold(2.0, |most: f64, (n, s)| most.max(*n).max(*s));
    let x = |n: f64| LEFT + (n - 1.0) / (most - 1.0) * (RIGHT - LEFT);
    let y = |n: f64| BOTTOM - n / most * (BOTTOM - TOP);
    let line = |points: &[(f64, f64)]| {
        let point = |(n, s): &(f64, f64)| format!("{:.1},{:.1}", x(*n), y(*s));
        points.iter().map(point).collect::<Vec<_>>().join(" ")
    };
    let law = |p: f64| {
        let n = (0..=60).map(|i| 1.0 + f64::from(i) / 60.0 * (most - 1.0));
        n.map(|n| (n, 1.0 / (1.0 - p + p / n))).collect::<Vec<_>>()
    };
    let sentence = |(n, speed_up): &(f64, f64)| {
        format!(
            "{}: {speed_up:.2} times as fast, efficiency {}.",
            counted(*n as usize, "thread"),
            percent(speed_up / n)
        )
    };
    let description: Vec<_> = points.iter().map(sentence).collect();
    let cores = results.machine.cores as f64;
    let end = px(x(most) + 10.0);
    let content = html! {
        @for (n, _) in &points {
            line.grid x1=(px(x(1.0))) x2=(px(x(most)))
                y1=(px(y(*n))) y2=(px(y(*n))) {}
            text.axis x=(LEFT - 8.0) y=(px(y(*n) + 5.0)) { (n) " ×" }
            text.tick x=(px(x(*n))) y=(BOTTOM + 22.0) { (n) }
        }
        text.tick x=(px(x(most.midpoint(1.0)))) y=(BOTTOM + 44.0) { "threads" }
        @if cores <= most {
            line.limit x1=(px(x(cores))) x2=(px(x(cores))) y1="8" y2=(BOTTOM) {}
            text x=(px(x(cores) + 8.0)) y="22" {
                (counted(results.machine.cores, "core"))
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
            circle.point cx=(px(x(point.0))) cy=(px(y(point.1))) r="6" {}
        }
        @if let Some((n, speed_up)) = points.last() {
            text.value.end x=(px(x(*n))) y=(px(y(*speed_up) - 14.0)) {
                (format!("{speed_up:.2} × measured"))
            }
        }
    };
    let title = "Speed-up of /blocking against the number of threads";
    let shape = Some(format!("0 0 {WIDTH} {HEIGHT}"));
    svg("scaling", None, shape, title, &description.join(" "), content)
}

/// A coordinate: a tenth of a pixel is exact enough.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

/// A share of the width.
fn percents(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use roxmltree::Document;

    use super::*;
    use crate::samples::comparison;

    #[test]
    fn a_chart_describes_itself_and_has_a_mark_for_every_probe() {
        let results = comparison();
        let charts =
            [timeline(&results), scaling(&results)].map(|chart| alone(&chart));
        let [timeline, scaling] =
            charts.each_ref().map(|file| Document::parse(file).unwrap());
        for (chart, words) in
            [(&timeline, "step1-blocking froze"), (&scaling, "1 thread:")]
        {
            let text = |tag| {
                let mut all = chart.root_element().children();
                all.find(|child| child.tag_name().name() == tag)?.text()
            };
            assert!(text("title").is_some());
            assert!(text("desc").unwrap().contains(words));
        }
        let marks = |class: &str| {
            let all = timeline.descendants();
            // One is in the legend.
            all.filter(|node| node.attribute("class") == Some(class)).count()
                - 1
        };
        // Every 10 ms of the 3.01 s: above 1 s, 100 ms and 10 ms.
        assert_eq!(marks("frozen"), 201);
        assert_eq!(marks("long"), 90);
        assert_eq!(marks("failed"), 100 + 30);
    }
}
