//! The chart of the speed-up, as SVG.
//!
//! Every element is closed by `{}`: a void element of HTML isn't XML.

use maud::{Markup, PreEscaped, html};

use crate::{
    format::{counted, percent},
    results::Results,
};

/// The look of the book's drawings.
pub const STYLE: &str = include_str!("../../../../docs/theme/drawing.css");

/// What the chart shows.
pub const EXPLAINED: &str = "How many times as fast as with one thread, by the \
    medians: ideal, measured (thick), and by Amdahl's law if the share p of the work \
    can be divided. Nothing was probed during that time.";

/// The shares of the work for which Amdahl's law is drawn.
const DIVISIBLE: [f64; 3] = [0.5, 0.8, 0.9];

/// The speed-up against the number of threads, next to the ideal one and the
/// one according to Amdahl's law.
pub fn scaling(results: &Results) -> Markup {
    let speed_ups = results.scaling.iter().filter_map(|scaled| {
        Some((scaled.threads as f64, results.scaled_speed_up(scaled)?))
    });
    let measured: Vec<_> = speed_ups.collect();
    // A little more than ideal is drawn a little higher.
    let most = measured.iter().fold(2.0, |most: f64, (n, _)| most.max(*n));
    let cores = results.machine.cores as f64;
    let x = |n: f64| format!("{:.1}", 44.0 + (n - 1.0) / (most - 1.0) * 356.0);
    let y = |s: f64| format!("{:.1}", 280.0 - s / most * 240.0);
    let line = |points: &[(f64, f64)]| {
        let points =
            points.iter().map(|(n, s)| format!(" {},{}", x(*n), y(*s)));
        format!("M{}", points.collect::<String>())
    };
    let law = |p: f64, n: f64| 1.0 / (1.0 - p + p / n);
    let curve = |p: f64| {
        let n = (0..=60).map(|i| 1.0 + f64::from(i) / 60.0 * (most - 1.0));
        line(&n.map(|n| (n, law(p, n))).collect::<Vec<_>>())
    };
    html! {
        svg.drawing xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 330"
            role="img" aria-labelledby="scaling" {
            style { (PreEscaped(STYLE)) }
            title id="scaling" {
                "Speed-up of /blocking against the number of threads"
            }
            @for speed_up in [0.0, 0.25, 0.5, 0.75, 1.0].map(|it| it * most) {
                path stroke-opacity="0.2"
                    d=(line(&[(1.0, speed_up), (most, speed_up)])) {}
                text.note.end x="36" y=(y(speed_up)) dy="5" { (speed_up) " ×" }
            }
            @for (n, _) in &measured {
                text.note.middle x=(x(*n)) y="300" { (n) }
            }
            text.note.middle x="222" y="322" { "threads" }
            @if cores <= most {
                path stroke-dasharray="1 4" d=(line(&[(cores, 0.0), (cores, most)])) {}
                text.note x=(x(cores)) y="24" {
                    (counted(results.machine.cores, "core"))
                }
            }
            @for p in DIVISIBLE {
                path.late d=(curve(p)) {}
                text.note x="408" y=(y(law(p, most))) dy="5" { "p = " (percent(p)) }
            }
            path d=(line(&[(1.0, 1.0), (most, most)])) {}
            text.note x="408" y=(y(most)) dy="5" { "ideal" }
            path style="stroke: var(--busy); stroke-width: 3"
                d=(line(&measured)) {}
            @for (n, speed_up) in &measured {
                circle.busy cx=(x(*n)) cy=(y(*speed_up)) r="5" {}
            }
        }
    }
}
