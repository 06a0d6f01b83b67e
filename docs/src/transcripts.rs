//! Transcripts: commands of `docs/transcripts`, and what they print.
//!
//! A line that begins with `$ ` is a command, all others are its output.
//! `$ cargo run -p STEP` runs in a terminal of its own until the next such
//! line; what else there is runs in a second terminal, which is bash. The book
//! shows the two beside each other.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
};

use harness::{Server, StartError};
use regex::{Captures, Regex};

use crate::{RENEW, files, read, workspace};

/// The port that transcripts show.
const PORT: &str = "127.0.0.1:3000";

/// What the second terminal does first. curl shows its progress when it doesn't
/// print to a terminal. And two that end at the same time would print in any
/// order: the one in the foreground lets the one in the background go first.
const SHELL: &str = r#"
exec 2>&1
curl() {
    local said=$(command curl -sS "$@")
    [ "$BASH_SUBSHELL" -gt 0 ] || sleep 0.2
    printf '%s\n' "$said"
}
"#;

/// All of them, as paths in the workspace.
pub fn all() -> Vec<PathBuf> {
    files("docs/transcripts", "console")
}

/// Fails when a command prints something else than its transcript says.
///
/// # Errors
/// What it prints, and the command that renews the transcript.
pub fn check() -> Result<(), String> {
    let error = |path: &PathBuf| match (read(path), run(path)) {
        (Ok(there), Ok(now)) if timeless(&there) == timeless(&now) => None,
        (Ok(_), Ok(now)) => {
            Some(format!("{} is stale:\n{now}", path.display()))
        }
        (Err(error), _) | (_, Err(error)) => Some(error),
    };
    let errors = |paths: &[PathBuf]| -> Vec<String> {
        paths.iter().filter_map(error).collect()
    };
    let all = all();
    // Two at once. With more, one whose threads come last would hardly begin.
    let (first, second) = all.split_at(all.len() / 2);
    let errors = thread::scope(|scope| {
        let second = scope.spawn(|| errors(second));
        let mut errors = errors(first);
        errors.extend(second.join().expect("it doesn't panic"));
        errors
    });
    if errors.is_empty() {
        return Ok(());
    }
    Err(format!("{}\nrenew it with: {RENEW}", errors.join("\n")))
}

/// Runs all of them, and writes down what they print.
///
/// # Errors
/// When a command can't be run, or a file can't be written.
pub fn renew() -> Result<(), String> {
    for path in all() {
        let now = run(&path)?;
        if timeless(&read(&path)?) != timeless(&now) {
            fs::write(workspace(&path), now)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            println!("{}", path.display());
        }
    }
    Ok(())
}

/// A transcript as the book shows it, asked for as `start.md`: each server
/// beside what is asked of it.
pub fn session(request: &str) -> Result<String, String> {
    let name = request
        .strip_suffix(".md")
        .ok_or_else(|| format!("expected start.md, not {request}"))?;
    let text = read(format!("docs/transcripts/{name}.console"))?;
    let mut panels: Vec<(u8, String)> = Vec::new();
    for line in text.lines() {
        let command = line.starts_with("$ ");
        let terminal = if is_server(line) { 1 } else { 2 };
        match panels.last_mut() {
            Some((same, panel)) if !command || *same == terminal => {
                panel.push_str(&format!("{line}\n"));
            }
            _ => panels.push((terminal, format!("{line}\n"))),
        }
    }
    let panels = panels.into_iter().map(|(terminal, text)| {
        format!(
            "<div>\n<p class=\"terminal\">Terminal {terminal}</p>\n\n\
             ```console\n{}\n```\n\n</div>\n",
            text.trim_end()
        )
    });
    let panels: String = panels.collect();
    Ok(format!("<div class=\"side-by-side session\">\n{panels}</div>\n"))
}

/// Runs the commands of a transcript. Returns it as it is now.
fn run(path: &Path) -> Result<String, String> {
    let text = read(path)?;
    let commands: Vec<&str> =
        text.lines().filter(|line| line.starts_with("$ ")).collect();
    let mut parts = Vec::new();
    let mut rest = commands.as_slice();
    while let Some((first, others)) = rest.split_first() {
        let next = others.iter().position(|it| is_server(it));
        let (mut second, after) = others.split_at(next.unwrap_or(others.len()));
        rest = after;
        let mut server = None;
        if is_server(first) {
            let (said, started) = start(first)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            parts.push(format!("{first}\n{said}"));
            server = started;
        } else {
            second = &commands[..=second.len()];
        }
        let at = server.as_ref().map(|it| it.url().replace("http://", ""));
        if !second.is_empty() {
            parts.push(terminal(second, at.as_deref().unwrap_or(PORT))?);
        }
        if let Some(server) = server {
            let at = parts.len() - 1 - usize::from(!second.is_empty());
            parts[at].push_str(&server.kill().stderr);
        }
    }
    Ok(stable(&parts.join("\n")))
}

fn is_server(line: &str) -> bool {
    line.contains("cargo run -p step")
}

/// Runs a step, as a line such as `$ PORT=3001 cargo run -p STEP -- --help`
/// asks for it. Returns what it said, and the server if it goes on.
fn start(line: &str) -> Result<(String, Option<Server>), String> {
    let wrong = || format!("{line}: not [NAME=VALUE…] cargo run -p STEP");
    let (variables, rest) =
        line[2..].split_once("cargo run -p ").ok_or_else(wrong)?;
    let mut words = rest.split_whitespace();
    let step = words.next().ok_or_else(wrong)?;
    let mut command = harness::command(harness::program(step, None)?);
    command.current_dir(workspace("")).env("RUST_BACKTRACE", "0");
    for variable in variables.split_whitespace() {
        let (name, value) = variable.split_once('=').ok_or_else(wrong)?;
        command.env(name, value);
    }
    command.args(words.skip_while(|word| *word == "--"));

    match Server::start(&mut command) {
        Ok(server) => {
            let line = server.line().replace(server.address(), PORT);
            Ok((format!("{line}\n"), Some(server)))
        }
        Err(StartError::Ended { .. }) => {
            let Output { stdout, stderr, .. } =
                command.output().map_err(|error| error.to_string())?;
            let said = [stdout, stderr].concat();
            Ok((String::from_utf8_lossy(&said).into_owned(), None))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Runs the commands in one bash. Returns them with all that they print, in
/// the order in which it comes.
fn terminal(commands: &[&str], address: &str) -> Result<String, String> {
    // A command line begins at the left margin, as behind a prompt.
    let mut script = SHELL.to_owned();
    for command in commands {
        let command = &command[2..];
        script += &format!("printf '\\0%s\\n' '$ {}'\n", quoted(command));
        script += &format!("{}\n", command.replace(PORT, address));
        // What it started with & is under way before the next one begins.
        if command.ends_with('&') {
            script += "sleep 0.3\n";
        }
    }
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(workspace(""))
        .output()
        .map_err(|error| {
            format!("bash, which this needs, can't be run: {error}")
        })?;
    let said = String::from_utf8_lossy(&output.stdout).replace(address, PORT);
    let said = said.split('\0').map(|part| part.trim_end().to_owned() + "\n");
    Ok(said.skip(1).collect())
}

fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''")
}

/// Without the times that it took, which a transcript shows as they were.
fn timeless(text: &str) -> String {
    let times = Regex::new(r#"( after |"elapsed_ms":)[0-9.]+"#);
    times.expect("it is valid").replace_all(text, "$1…").into_owned()
}

/// What is another each time, in a form that is always the same.
fn stable(text: &str) -> String {
    let mut text = text.replace('\r', "");
    for (pattern, replacement) in [
        (r"(timed out after) \d+ milliseconds", "$1 … milliseconds"),
        (r"(?m)^date: .*$", "date: …"),
        (r"(thread '[^']*') \(\d+\) panicked", "$1 panicked"),
        // Four, or fewer where there are fewer cores.
        (r"(env: THREADS=\] \[default: )\d+", "${1}4"),
    ] {
        let pattern = Regex::new(pattern).expect("it is valid");
        text = pattern.replace_all(&text, replacement).into_owned();
    }
    // The headers of a response come in any order.
    let headers = Regex::new(r"(?m)^(HTTP/.*\n)((?:[a-z-]+: .*\n)+)")
        .expect("it is valid");
    let sorted = headers.replace_all(&text, |found: &Captures| {
        let mut headers: Vec<&str> = found[2].lines().collect();
        headers.sort();
        format!("{}{}\n", &found[1], headers.join("\n"))
    });
    sorted.into_owned()
}
