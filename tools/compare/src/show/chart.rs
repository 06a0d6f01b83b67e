//! The chart of the speed-up, as SVG.
//!
//! Every element is closed by `{}`: a void element of HTML isn't XML.

use maud::{Markup, PreEscaped, html};

use crate::{
    format::{counted, percent},
    results::Results,
};

/// The colours, for light, dark and paper.
pub const STYLE: &str = include_str!("chart.css");

/// What the chart shows.
pub const EXPLAINED: &str = "How many times as fast as with one thread, by the \
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
    let cores = results.machine.cores as f64;
    let end = px(x(most) + 10.0);
    html! {
        svg.chart xmlns="http://www.w3.org/2000/svg"
            viewBox={ "0 0 " (WIDTH) " " (HEIGHT) }
            role="img" aria-labelledby="scaling" {
            style { (PreEscaped(STYLE)) }
            title id="scaling" {
                "Speed-up of /blocking against the number of threads"
            }
            @for (n, _) in &points {
                line.grid x1=(px(x(1.0))) x2=(px(x(most)))
                    y1=(px(y(*n))) y2=(px(y(*n))) {}
                text.axis x=(LEFT - 8.0) y=(px(y(*n) + 5.0)) { (n) " ×" }
                text.tick x=(px(x(*n))) y=(BOTTOM + 22.0) { (n) }
            }
            text.tick x=(px(x(most.midpoint(1.0)))) y=(BOTTOM + 44.0) {
                "threads"
            }
            @if cores <= most {
                line.cores x1=(px(x(cores))) x2=(px(x(cores)))
                    y1="8" y2=(BOTTOM) {}
                text x=(px(x(cores) + 8.0)) y="22" {
                    (counted(results.machine.cores, "core"))
                }
            }
            line.base x1=(px(x(1.0))) x2=(px(x(most)))
                y1=(BOTTOM) y2=(BOTTOM) {}
            @for p in DIVISIBLE {
                @let law = law(p);
                polyline.law points=(line(&law)) {}
                @if let Some((_, speed_up)) = law.last() {
                    text x=(end) y=(px(y(*speed_up) + 5.0)) {
                        "p = " (percent(p))
                    }
                }
            }
            polyline.ideal points=(line(&[(1.0, 1.0), (most, most)])) {}
            text x=(end) y=(px(y(most) + 5.0)) { "ideal" }
            polyline.measured points=(line(&points)) {}
            @for point in &points {
                circle.point cx=(px(x(point.0))) cy=(px(y(point.1))) r="6" {}
            }
            @if let Some((n, speed_up)) = points.last() {
                text.value x=(px(x(*n))) y=(px(y(*speed_up) - 14.0)) {
                    (format!("{speed_up:.2} × measured"))
                }
            }
        }
    }
}

/// A coordinate: a tenth of a pixel is exact enough.
fn px(value: f64) -> String {
    format!("{value:.1}")
}
