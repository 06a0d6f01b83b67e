use std::{env, fs, process::Output};

use crate::{Server, StartError, workspace};

/// How many characters of an input, and of what is said, are shown.
const LONGEST: usize = 400;

/// Inputs that are of no use to a program, and what each has got: a table of
/// the book.
#[derive(Debug, Default)]
pub struct Inputs {
    rows: Vec<[String; 4]>,
}

/// What an input has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit status, or that of HTTP.
    pub gets: String,
    /// What was said with it.
    pub says: String,
}

impl Outcome {
    /// What a command line has got: its exit status, and the first paragraph
    /// on standard error.
    pub fn of(output: &Output) -> Self {
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        let gets = code.map_or("a signal".into(), |it| format!("exit {it}"));
        let lines = said.lines().map(str::trim);
        let lines: Vec<_> = lines.take_while(|it| !it.is_empty()).collect();
        Self { gets, says: lines.join("\n") }
    }

    /// What a server has got from its settings: its line, if it serves.
    pub fn of_start(started: Result<Server, StartError>) -> Self {
        match started {
            Ok(server) => {
                Self { gets: "serves".into(), says: server.line().into() }
            }
            Err(StartError::Ended { status, stderr, .. }) => {
                let stderr = stderr.into_bytes();
                Self::of(&Output { status, stdout: Vec::new(), stderr })
            }
            Err(error) => panic!("{error}"),
        }
    }
}

impl Inputs {
    /// Adds a row: the input, whose it was (all steps', if empty), and what it
    /// has got.
    ///
    /// # Panics
    /// When that is a panic, or silence.
    pub fn add(&mut self, input: &str, whose: &str, got: &Outcome) {
        let Outcome { gets, says } = got;
        assert!(!says.contains("panicked"), "{input}: {says}");
        assert!(!says.is_empty(), "{input}: {gets}");
        let input = format!("<code>{}</code>", cell(input));
        self.rows.push([input, whose.into(), gets.clone(), cell(says)]);
    }

    /// Checks that the table of that name in the book is what has just been
    /// seen. With `RENEW=1` in the environment, it writes it instead.
    ///
    /// # Panics
    /// When it isn't: the rows that differ, and how to renew it.
    pub fn check(&self, name: &str, least: usize) {
        assert!(self.rows.len() >= least, "{} rows only", self.rows.len());
        let head = ["input", "step", "gets", "says"].map(str::to_owned);
        let rule = [":--"; 4].map(str::to_owned);
        let all_whose = self.rows.iter().all(|row| row[1].is_empty());
        let mut table = String::new();
        for [input, whose, gets, says] in [head, rule].iter().chain(&self.rows)
        {
            table += &match all_whose {
                true => format!("| {input} | {gets} | {says} |\n"),
                false => format!("| {input} | {whose} | {gets} | {says} |\n"),
            };
        }
        let path = workspace().join("docs/inputs").join(name);
        if env::var("RENEW").is_ok_and(|it| it == "1") {
            fs::write(&path, table)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            return;
        }
        let there = fs::read_to_string(&path).unwrap_or_default();
        let lacks = |text: &str, line: &&str| !text.lines().any(|l| l == *line);
        let old = there.lines().filter(|it| lacks(&table, it));
        let new = table.lines().filter(|it| lacks(&there, it));
        let old: String = old.map(|it| format!("- {it}\n")).collect();
        let new: String = new.map(|it| format!("+ {it}\n")).collect();
        assert!(
            there == table,
            "{} is stale:\n{old}{new}renew it with: RENEW=1 cargo test -p docs \
             -p compare every_bad",
            path.display()
        );
    }
}

/// Text as a cell of a Markdown table, shortened and harmless.
fn cell(text: &str) -> String {
    let length = text.chars().count();
    let shown = text.chars().take(LONGEST);
    let mut shown: String = shown
        .map(|it| {
            match it {
                '\n' => "<br>".into(),
                '&' | '<' | '>' | '|' | '_' | '*' => {
                    format!("&#{};", u32::from(it))
                }
                // It isn't seen, or does something.
                _ if it.is_control() || it == '\u{feff}' => {
                    it.escape_unicode().to_string()
                }
                _ => it.into(),
            }
        })
        .collect();
    if length > LONGEST {
        shown += &format!("… ({length} characters)");
    }
    shown
}
