//! Tables, charts and single numbers, from the files in `docs/results`.

use compare::{
    format::ratio,
    results::Results,
    show::{
        chart,
        figures::{latencies, spread},
        machine, settings,
    },
};
use serde::Deserialize;
use serde_json::Value;

use crate::read;

/// The colours and lines of the charts.
pub use chart::STYLE;

#[derive(Deserialize)]
#[serde(untagged)]
enum Figures {
    Compared(Results),
    Printed(Printed),
}

/// The output of one of this crate's examples.
#[derive(Deserialize)]
struct Printed {
    machine: String,
    command: String,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// A part of a file: its `table` or its `machine`. A file from `compare` also
/// has `scaling`, its `chart`, and single values.
pub fn make(path: &str, part: &str) -> Result<String, String> {
    let figures = serde_json::from_str(&read(path)?)
        .map_err(|error| format!("{path}: {error}"))?;
    let made = match figures {
        Figures::Compared(results) => compared(&results, part),
        Figures::Printed(printed) => printed.make(part),
    };
    made.ok_or_else(|| format!("{path} has no {part}"))
}

fn compared(results: &Results, part: &str) -> Option<String> {
    Some(match part {
        "table" => servers(results),
        "scaling" if !results.scaling.is_empty() => scaling(results),
        "chart" if !results.scaling.is_empty() => {
            format!("\n{}", chart::alone(&chart::scaling(results)))
        }
        "machine" => {
            measured_on(&machine(results), &format!(": {}", settings(results)))
        }
        "cores" => results.machine.cores.to_string(),
        "threads" => results.settings.threads.to_string(),
        _ => {
            let name = part.strip_prefix("99 of 100 of ")?;
            let mut servers = results.servers.iter();
            let server = servers.find(|it| it.name == name)?;
            let [_, p99, ..] = latencies(server.during);
            whole(p99)
        }
    })
}

fn measured_on(machine: &str, how: &str) -> String {
    format!("\n\nMeasured on {machine}{how}.\n\n")
}

/// The measurements of each server by `compare`.
fn servers(results: &Results) -> String {
    let head = [
        "server",
        "`/blocking`: median (least to greatest)",
        "speed-up",
        "`/non-blocking` during it: median",
        "99 % within",
        "worst",
    ];
    let rows = results.servers.iter().map(|server| {
        let [median, range] = spread(server.blocking);
        let [p50, p99, worst, _] = latencies(server.during).map(whole);
        vec![
            format!("`{}`", server.name),
            whole(format!("{median} ({range})")),
            ratio(server.speed_up),
            p50,
            p99,
            worst,
        ]
    });
    table(&head, rows)
}

/// How much faster each further thread makes `/blocking`.
fn scaling(results: &Results) -> String {
    let head = [
        "threads",
        "`/blocking`: median (least to greatest)",
        "speed-up",
        "efficiency",
    ];
    let rows = results.scaling.iter().map(|scaled| {
        let [median, range] = spread(scaled.blocking);
        vec![
            scaled.threads.to_string(),
            whole(format!("{median} ({range})")),
            ratio(scaled.speed_up),
            ratio(scaled.efficiency),
        ]
    });
    table(&head, rows)
}

impl Printed {
    fn make(&self, wanted: &str) -> Option<String> {
        let cell = |cell: &Value| match cell.as_f64() {
            Some(figure) => figure.to_string(),
            None => cell.as_str().unwrap_or_default().to_owned(),
        };
        let rows = self.rows.iter().map(|row| row.iter().map(cell).collect());
        match wanted {
            "table" => Some(table(&self.columns, rows)),
            "machine" => Some(measured_on(
                &self.machine,
                &format!(", with `{}`", self.command),
            )),
            _ => None,
        }
    }
}

/// A Markdown table.
fn table(
    head: &[impl AsRef<str>],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<_> = head.iter().map(|it| it.as_ref().to_owned()).collect();
    let mut rule = vec!["--:".to_owned(); head.len()];
    rule[0] = ":--".to_owned();
    let rows: String = rows.map(|row| line(&row)).collect();
    format!("\n\n{}{}{rows}\n", line(&head), line(&rule))
}

/// A number stays on one line with its unit.
fn whole(figure: String) -> String {
    figure.replace(' ', "\u{a0}").replace('–', "–\u{2060}")
}
