//! Tables, charts and single figures, from the files in `docs/results`.

use compare::{
    results::Results,
    show::{
        chart,
        figures::{latencies, spread},
        machine, settings,
    },
    words::ratio,
};
use serde::Deserialize;
use serde_json::Value;

use crate::{escaped, read};

/// The colours and lines of the charts.
pub use chart::STYLE;

#[derive(Deserialize)]
#[serde(untagged)]
enum Figures {
    Compared(Results),
    Printed(Printed),
}

/// What an example of this crate has printed.
#[derive(Deserialize)]
struct Printed {
    machine: String,
    command: String,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// What `NAME/table.md` and the like ask for.
pub fn make(request: &str) -> Result<String, String> {
    let (name, wanted) = request
        .split_once('/')
        .ok_or("expected figures/NAME/table.md, scaling.md, scaling.svg, …")?;
    let path = format!("docs/results/{name}.json");
    let figures = serde_json::from_str(&read(&path)?)
        .map_err(|error| format!("{path}: {error}"))?;
    let made = match figures {
        Figures::Compared(results) => compared(&results, wanted),
        Figures::Printed(printed) => printed.make(wanted),
    };
    made.ok_or_else(|| format!("{path} has nothing for {wanted}"))
}

fn compared(results: &Results, wanted: &str) -> Option<String> {
    let parts: Vec<&str> = wanted.split('/').collect();
    Some(match parts[..] {
        ["table.md"] => servers(results),
        ["scaling.md"] if !results.scaling.is_empty() => scaling(results),
        ["scaling.svg"] if !results.scaling.is_empty() => format!(
            "<figure>\n{}\n<figcaption>{}</figcaption>\n</figure>\n",
            chart::scaling(results).into_string(),
            escaped(chart::SCALING)
        ),
        ["machine.md"] => format!(
            "Measured on {}: {}.\n",
            machine(results),
            settings(results)
        ),
        ["machine", "cores.txt"] => results.machine.cores?.to_string(),
        ["settings", "threads.txt"] => results.settings.threads.to_string(),
        ["servers", name, "during", "p99_ms.txt"] => {
            let mut servers = results.servers.iter();
            let server = servers.find(|it| it.name == name)?;
            let [_, p99, ..] = latencies(server.during);
            whole(p99)
        }
        _ => return None,
    })
}

/// What `compare` measured of each server.
fn servers(results: &Results) -> String {
    let head = [
        "server",
        "`/blocking`: median (least to greatest)",
        "speed-up",
        "`/non-blocking` meanwhile: median",
        "99 of 100 in",
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

/// What each further thread brought.
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
            "table.md" => Some(table(&self.columns, rows)),
            "machine.md" => Some(format!(
                "Measured on {}, with `{}`.\n",
                self.machine, self.command
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
    line(&head) + &line(&rule) + &rows
}

/// A figure isn't parted from its unit.
fn whole(figure: String) -> String {
    figure.replace(' ', "\u{a0}").replace('–', "–\u{2060}")
}
