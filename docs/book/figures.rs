//! Tables, charts and single figures, from the files in `docs/results`.
//!
//! Those are the `results.json` of `compare`, or what an example of this crate
//! has printed: `machine`, `command`, `columns` and `rows`.

use std::time::Duration;

use serde_json::Value;

use super::{escaped, read};

/// What `NAME/table.md` and the like ask for.
pub fn make(request: &str) -> Result<String, String> {
    let (name, wanted) = request
        .split_once('/')
        .ok_or("expected figures/NAME/table.md, scaling.md, scaling.svg, …")?;
    let path = format!("docs/results/{name}.json");
    let results: Value = serde_json::from_str(&read(&path)?)
        .map_err(|error| format!("{path}: {error}"))?;
    let made = match wanted {
        "table.md" if results.get("rows").is_some() => rows(&results),
        "table.md" => servers(&results),
        "scaling.md" => scaling(&results),
        "scaling.svg" => chart(&results),
        "machine.md" => machine(&results),
        _ => single(&results, wanted),
    };
    made.ok_or_else(|| format!("{path} has nothing for {wanted}"))
}

/// A Markdown table.
fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&it| it.to_owned()).collect();
    let mut rule = vec!["--:".to_owned(); head.len()];
    rule[0] = ":--".to_owned();
    let rows: String = rows.iter().map(|row| line(row)).collect();
    line(&head) + &line(&rule) + &rows
}

/// The table that an example printed.
fn rows(results: &Value) -> Option<String> {
    let columns = results["columns"].as_array()?;
    let columns: Option<Vec<&str>> =
        columns.iter().map(Value::as_str).collect();
    let rows = results["rows"].as_array()?.iter().map(|row| {
        row.as_array()?.iter().map(|cell| plain(cell, "")).collect()
    });
    Some(table(&columns?, rows.collect::<Option<_>>()?))
}

/// What `compare` measured of each server.
fn servers(results: &Value) -> Option<String> {
    let mut rows = Vec::new();
    for server in results["servers"].as_array()? {
        let figure = |path: &[&str]| figure(server, path);
        rows.push(vec![
            format!("`{}`", server["name"].as_str()?),
            spread(&server["blocking"]),
            figure(&["speed_up"]),
            figure(&["during", "p50_ms"]),
            figure(&["during", "p99_ms"]),
            figure(&["during", "worst_ms"]),
        ]);
    }
    let head = [
        "server",
        "`/blocking`: median (least to greatest)",
        "speed-up",
        "`/non-blocking` meanwhile: median",
        "99 of 100 in",
        "worst",
    ];
    Some(table(&head, rows))
}

/// What each further thread brought.
fn scaling(results: &Value) -> Option<String> {
    let mut rows = Vec::new();
    for scaled in results["scaling"].as_array()? {
        rows.push(vec![
            figure(scaled, &["threads"]),
            spread(&scaled["blocking"]),
            figure(scaled, &["speed_up"]),
            figure(scaled, &["efficiency"]),
        ]);
    }
    let head = [
        "threads",
        "`/blocking`: median (least to greatest)",
        "speed-up",
        "efficiency",
    ];
    (!rows.is_empty()).then(|| table(&head, rows))
}

/// On what it was measured, and how.
fn machine(results: &Value) -> Option<String> {
    let machine = &results["machine"];
    if let Some(machine) = machine.as_str() {
        let command = results["command"].as_str()?;
        return Some(format!("Measured on {machine}, with `{command}`.\n"));
    }
    let settings = &results["settings"];
    let cores = match machine["cores"].as_u64()? {
        1 => "1 core".to_owned(),
        cores => format!("{cores} cores"),
    };
    Some(format!(
        "Measured on {cores} of {}, {}, with a {} build: {} iterations, \
         {} threads, {} in flight, {} runs.\n",
        machine["cpu"].as_str()?,
        machine["os"].as_str()?,
        machine["profile"].as_str()?,
        plain(&settings["iterations"], "iterations")?,
        settings["threads"],
        settings["concurrency"],
        settings["runs"],
    ))
}

/// One figure: `servers/step1-blocking/blocking/median_ms.txt`.
fn single(results: &Value, wanted: &str) -> Option<String> {
    let path = wanted.strip_suffix(".txt")?;
    let mut value = results;
    let mut last = "";
    for part in path.split('/') {
        value = match value {
            Value::Array(row)
                if row
                    .first()
                    .is_some_and(|it| !it.is_object() && !it.is_array()) =>
            {
                let columns = results["columns"].as_array()?;
                row.get(columns.iter().position(|it| it == part)?)?
            }
            Value::Array(list) => list.iter().find(|it| {
                [&it["name"], &it["threads"], &it[0]]
                    .iter()
                    .any(|name| plain(name, "").as_deref() == Some(part))
            })?,
            _ => value.get(part)?,
        };
        last = part;
    }
    plain(value, last)
}

fn figure(value: &Value, path: &[&str]) -> String {
    let mut found = value;
    for part in path {
        found = &found[part];
    }
    let name = path.last().unwrap_or(&"");
    plain(found, name).unwrap_or_else(|| "–".into())
}

fn spread(spread: &Value) -> String {
    let [median, min, max] =
        ["median_ms", "min_ms", "max_ms"].map(|name| figure(spread, &[name]));
    format!("{median} ({min} to {max})")
}

/// A value as people read it; `name` tells its unit.
fn plain(value: &Value, name: &str) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let number = value.as_f64()?;
    if name.ends_with("_ms") {
        let short = common::short(Duration::from_secs_f64(number / 1e3));
        return Some(short.replace(' ', "\u{a0}"));
    }
    if name == "speed_up" || name == "efficiency" {
        return Some(format!("{number:.2}"));
    }
    Some(number.to_string())
}

/// The measured speed-up against the ideal one, and against Amdahl's law with
/// the share of serial work that fits it best up to the number of cores.
fn chart(results: &Value) -> Option<String> {
    let cores = results["machine"]["cores"].as_f64()?;
    let points: Option<Vec<(f64, f64)>> = results["scaling"]
        .as_array()?
        .iter()
        .map(|it| Some((it["threads"].as_f64()?, it["speed_up"].as_f64()?)))
        .collect();
    let points = points?;
    let most = points.iter().map(|it| it.0).fold(1.0, f64::max);
    let highest = points.iter().map(|it| it.1).fold(cores, f64::max) * 1.15;

    let (width, height, left, bottom) = (640.0, 320.0, 44.0, 40.0);
    let x = |threads: f64| {
        left + (threads - 1.0) / (most - 1.0).max(1.0) * (width - left - 20.0)
    };
    let y = |speed_up: f64| {
        height - bottom - speed_up / highest * (height - bottom - 12.0)
    };
    let line = |class: &str, points: &[(f64, f64)]| {
        let points: Vec<String> = points
            .iter()
            .map(|it| format!("{:.1},{:.1}", x(it.0), y(it.1)))
            .collect();
        let points = points.join(" ");
        format!("<polyline class=\"{class}\" points=\"{points}\"/>\n")
    };
    let text = |x: f64, y: f64, anchor: &str, text: &str| {
        format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}\
             </text>\n",
            escaped(text)
        )
    };

    let serial = serial_share(&points, cores);
    let law = |threads: f64| 1.0 / (serial + (1.0 - serial) / threads);
    let steps: Vec<f64> =
        (0..=60).map(|i| 1.0 + f64::from(i) / 60.0 * (most - 1.0)).collect();
    let ideal: Vec<_> = [1.0, most.min(highest)].map(|it| (it, it)).into();
    let amdahl: Vec<_> = steps.iter().map(|it| (*it, law(*it))).collect();
    let amdahl: Vec<_> =
        amdahl.into_iter().filter(|it| it.1 <= highest).collect();

    let mut svg = format!(
        "<figure class=\"chart\">\n<svg viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"Speed-up against the number of \
         threads\">\n"
    );
    svg += &format!(
        "<path class=\"axis\" d=\"M{left} 12V{:.1}H{width}\"/>\n",
        height - bottom
    );
    svg += &format!(
        "<path class=\"cores\" d=\"M{:.1} 12V{:.1}\"/>\n",
        x(cores),
        height - bottom
    );
    svg += &line("ideal", &ideal);
    svg += &line("amdahl", &amdahl);
    svg += &line("measured", &points);
    for (threads, speed_up) in &points {
        svg += &format!(
            "<circle class=\"measured\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>\n",
            x(*threads),
            y(*speed_up)
        );
        let below = height - bottom + 16.0;
        svg += &text(x(*threads), below, "middle", &threads.to_string());
    }
    for whole in 1..=highest as u32 {
        let speed_up = f64::from(whole);
        svg += &text(left - 8.0, y(speed_up) + 4.0, "end", &whole.to_string());
    }
    let above = height - bottom - 8.0;
    svg += &text(x(cores) + 6.0, above, "start", &format!("{cores} cores"));
    svg += &text(width - 4.0, height - 6.0, "end", "threads");
    svg += &format!(
        "</svg>\n<figcaption>Speed-up by the number of threads: <b \
         class=\"measured\">measured</b>, <b class=\"ideal\">ideal</b>, and <b \
         class=\"amdahl\">Amdahl’s law</b> with {:.1} % serial work.\
         </figcaption>\n</figure>\n",
        serial * 100.0
    );
    Some(svg)
}

/// The share of serial work, in steps of a thousandth, for which Amdahl's law
/// is nearest to what was measured with no more threads than cores.
fn serial_share(points: &[(f64, f64)], cores: f64) -> f64 {
    let points = || points.iter().filter(|it| it.0 <= cores);
    let error = |serial: f64| -> f64 {
        let law = |n: f64| 1.0 / (serial + (1.0 - serial) / n);
        points().map(|it| (law(it.0) - it.1).powi(2)).sum()
    };
    (0..=1_000)
        .map(|thousandths| f64::from(thousandths) / 1e3)
        .min_by(|a, b| error(*a).total_cmp(&error(*b)))
        .unwrap_or(0.0)
}
