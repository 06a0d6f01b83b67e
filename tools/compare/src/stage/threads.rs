//! Which threads of a process run.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Instant};

use serde_json::{Value, json};

/// What Linux calls USER_HZ: so many ticks are a second, on every machine
/// that Rust runs on.
const TICKS: f64 = 100.0;

/// The threads of a process, and how long each had run at the last look.
pub struct Threads {
    process: u64,
    folder: PathBuf,
    ran: BTreeMap<u64, u64>,
    looked: Instant,
    /// What all of them had run together, and how many they were.
    whole: Option<(u64, u64)>,
    /// What a look gives while none of them runs.
    idle: Value,
}

impl Threads {
    pub fn new(process: u32) -> Self {
        Self {
            process: process.into(),
            folder: format!("/proc/{process}").into(),
            ran: BTreeMap::new(),
            looked: Instant::now(),
            whole: None,
            idle: Value::Null,
        }
    }

    /// Each thread's id, its name, and the share of the time since the last
    /// look that it ran, from 0 to 1. Nothing where the system doesn't tell.
    pub fn look(&mut self) -> Option<Value> {
        let time = self.looked.elapsed().as_secs_f64();
        self.looked = Instant::now();
        let stat = fs::read_to_string(self.folder.join("stat")).ok()?;
        let whole = parse(&stat).map(|it| (it.2, it.3));
        // Mostly so: it saves a file for each thread.
        if whole.is_some() && whole == self.whole {
            return Some(self.idle.clone());
        }
        self.whole = whole;
        let mut ran = BTreeMap::new();
        let (mut threads, mut idle) = (Vec::new(), Vec::new());
        let tasks = fs::read_dir(self.folder.join("task")).ok()?;
        for entry in tasks.flatten() {
            // A thread may have ended meanwhile.
            let stat = fs::read_to_string(entry.path().join("stat"));
            let stat = stat.unwrap_or_default();
            let Some((id, name, ticks, _)) = parse(&stat) else { continue };
            let before = self.ran.get(&id).copied().unwrap_or(ticks);
            let share = (ticks - before.min(ticks)) as f64 / TICKS / time;
            let share = (share.min(1.0) * 100.0).round() / 100.0;
            let name = label(name, id == self.process);
            threads.push(json!([id, name, share]));
            idle.push(json!([id, name, 0]));
            ran.insert(id, ticks);
        }
        self.ran = ran;
        self.idle = idle.into();
        Some(threads.into())
    }
}

/// What a thread is called on the page. Linux keeps 15 characters of a name,
/// and the first thread has that of the program.
fn label(name: &str, is_first: bool) -> String {
    match name {
        _ if is_first => "main".into(),
        "actix-rt|system" => "server: answers".into(),
        "actix-server ac" => "server: accepts".into(),
        "tokio-runtime-w" | "tokio-rt-worker" => "runtime".into(),
        _ if name.len() == 15 => format!("{name}…"),
        _ => name.into(),
    }
}

/// Id, name, the ticks in user and in system mode, and how many threads the
/// process has (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>).
fn parse(stat: &str) -> Option<(u64, &str, u64, u64)> {
    // The name may have spaces and parentheses of its own.
    let (id, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let mut number = || fields.next()?.parse::<u64>().ok();
    let ticks = number()? + number()?;
    let threads = fields.nth(4)?.parse().ok()?;
    Some((id.parse().ok()?, name, ticks, threads))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_linux_has_cut_off_is_said_in_full_or_marked() {
        assert_eq!(label("step2-single-wo", true), "main");
        assert_eq!(label("actix-rt|system", false), "server: answers");
        assert_eq!(label("pool 1", false), "pool 1");
        assert_eq!(label("a-name-of-fifte", false), "a-name-of-fifte…");
    }

    #[test]
    fn a_name_with_parentheses_and_spaces_is_read_whole() {
        let stat = "7 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 40 2 0 0 20 0 5 0";
        assert_eq!(parse(stat), Some((7, "a) (b c", 42, 5)));
    }
}
