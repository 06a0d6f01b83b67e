//! Tables and charts, from the files in `docs/results`.

use compare::{
    results::Results,
    show::{chart, machine, settings, table},
};
use serde::Deserialize;
use serde_json::Value;

use crate::read;

/// The head of the table of servers: `compare`'s own is for a narrow terminal.
const SERVERS: [&str; 6] = [
    "server",
    "`/blocking`: median (least to greatest)",
    "speed-up",
    "`/non-blocking` during it: median",
    "99 % within",
    "worst",
];

/// The head of the table of threads.
const SCALING: [&str; 4] = [
    "threads",
    "`/blocking`: median (least to greatest)",
    "speed-up",
    "efficiency",
];

/// The output of one of this crate's examples.
#[derive(Deserialize)]
struct Printed {
    machine: String,
    command: String,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// A part of a file: its `table` or its `machine`. A file from `compare` also
/// has `scaling` and its `chart`.
pub fn make(path: &str, part: &str) -> Result<String, String> {
    let text = read(path)?;
    let made = match serde_json::from_str(&text) {
        Ok(results) => compared(&results, part),
        Err(_) => serde_json::from_str::<Printed>(&text)
            .map_err(|error| format!("{path}: {error}"))?
            .make(part),
    };
    made.ok_or_else(|| format!("{path} has no {part}"))
}

fn compared(results: &Results, part: &str) -> Option<String> {
    Some(match part {
        "table" => {
            let row = |[name, rest @ ..]: [String; 6]| {
                [vec![format!("`{name}`")], rest.map(whole).to_vec()].concat()
            };
            markdown(&SERVERS, table::servers(results).into_iter().map(row))
        }
        "scaling" if !results.scaling.is_empty() => {
            let row = |row: [String; 4]| row.map(whole).to_vec();
            markdown(&SCALING, table::scaling(results).into_iter().map(row))
        }
        "chart" if !results.scaling.is_empty() => {
            format!("\n{}\n", chart::scaling(results).into_string())
        }
        "machine" => {
            measured_on(&machine(results), &format!(": {}", settings(results)))
        }
        _ => return None,
    })
}

fn measured_on(machine: &str, how: &str) -> String {
    format!("\n\nMeasured on {machine}{how}.\n\n")
}

impl Printed {
    fn make(&self, wanted: &str) -> Option<String> {
        let cell = |cell: &Value| match cell.as_f64() {
            Some(figure) => figure.to_string(),
            None => cell.as_str().unwrap_or_default().to_owned(),
        };
        let rows = self.rows.iter().map(|row| row.iter().map(cell).collect());
        match wanted {
            "table" => Some(markdown(&self.columns, rows)),
            "machine" => Some(measured_on(
                &self.machine,
                &format!(", with `{}`", self.command),
            )),
            _ => None,
        }
    }
}

/// A Markdown table.
fn markdown(
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

/// A number stays on one line with its unit, and a range with its end.
fn whole(figure: String) -> String {
    let joined = figure.replace(' ', "\u{a0}").replace('–', "–\u{2060}");
    joined.trim_end_matches('\u{2060}').to_owned()
}
