//! Sessions: commands in a chapter, and what they print.
//!
//! A line that begins with `$ ` is a command; all the others are its output.
//! `$ cargo run -p STEP` runs in its own terminal until the next such line;
//! everything else runs in a second terminal, with bash.

use std::process::Command;

use harness::{Server, StartError};
use regex::{Captures, Regex};

use crate::workspace;

/// The port that transcripts show.
const PORT: &str = "127.0.0.1:3000";

/// The second terminal's first commands. curl shows its progress when it
/// doesn't print to a terminal, and uses a proxy and a configuration file if
/// there are any. And two commands that end at the same time would print in any
/// order, so the one in the foreground waits for the one in the background: in
/// small steps, which take longer on a busy machine.
///
/// After a command in the background, `wait_until_sent` keeps the next request
/// from overtaking it.
const SHELL: &str = r#"
exec 2>&1
log=$(mktemp)
trap 'rm "$log"' EXIT
curl() {
    local said=$(command curl -q --noproxy '*' -sSv "$@" 2>"$log")
    for _ in {1..10}; do
        [ "$BASH_SUBSHELL" -eq 0 ] && [ -n "$(jobs -r)" ] && sleep 0.02
    done
    grep '^curl: (\|command not found' "$log"
    printf '%s\n' "$said"
}
wait_until_sent() {
    while kill -0 $! 2>/dev/null && ! grep -q '^> ' "$log"; do sleep 0.01; done
}
"#;

/// How far a step counts by default, and how far it counts here if only the
/// times would differ. Where a command runs in the background, another one has
/// to be answered before it.
const ROUNDS: &str = "10000000000";
const FEWER: &str = "3000000000";
const FEW: &str = "100000000";

/// Runs the commands of a block. Returns the block as it is now, perhaps with
/// the times of a shorter count.
pub(crate) fn run(block: &str, is_short: bool) -> Result<String, String> {
    let commands: Vec<&str> =
        block.lines().filter(|line| line.starts_with("$ ")).collect();
    let rounds = match is_short {
        false => ROUNDS,
        true if block.contains(" &\n") => FEWER,
        true => FEW,
    };
    let mut parts = Vec::new();
    let is_server = |line: &str| line.contains("cargo run -p step");
    // Each server, and the requests it gets.
    for commands in commands.chunk_by(|_, next| !is_server(next)) {
        let (line, requests) = (commands[0], &commands[1..]);
        let (said, server) = start(line, rounds)?;
        parts.push(match server {
            None => format!("{line}\n{said}"),
            Some(server) => {
                let answers = terminal(requests, server.address())?;
                let log = server.kill().stderr;
                format!(
                    "# Terminal 1\n{line}\n{said}{log}\n# Terminal 2\n{answers}"
                )
            }
        });
    }
    let block = stable(&parts.join("\n"));
    Ok(block.replace(rounds, ROUNDS))
}

/// Runs a step, as a line such as `$ QUEUE=1 cargo run -p STEP -- --threads 2`
/// asks for it. Returns its first line, and the server, or why it has ended.
fn start(line: &str, rounds: &str) -> Result<(String, Option<Server>), String> {
    let (settings, words) = line[2..]
        .split_once("cargo run -p ")
        .ok_or_else(|| format!("{line}: it runs no step"))?;
    let (step, flags) = words.split_once(' ').unwrap_or((words, ""));
    let flags = flags.trim_start_matches("-- ");
    let mut command = harness::command("bash");
    command.args(["-c", &format!("{settings} exec \"$0\" {flags}")]);
    command.arg(harness::program(step)?);
    command.current_dir(workspace("")).env("ITERATIONS", rounds);

    match Server::start(&mut command) {
        Ok(server) => {
            let line = server.line().replace(server.address(), PORT);
            Ok((format!("{line}\n"), Some(server)))
        }
        Err(StartError::Ended { stderr, .. }) => Ok((stderr, None)),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs the commands in one bash. Returns them with everything they print, in
/// the order in which it arrives.
fn terminal(commands: &[&str], address: &str) -> Result<String, String> {
    // A command line begins at the left margin, as behind a prompt.
    let mut script = SHELL.to_owned();
    for command in commands {
        let command = &command[2..];
        let quoted = command.replace('\'', "'\\''");
        script += &format!("printf '\\0%s\\n' '$ {quoted}'\n");
        script += &format!("{}\n", command.replace(PORT, address));
        if command.ends_with('&') {
            script += "wait_until_sent\n";
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
    if let Some(line) = said.lines().find(|it| it.starts_with("curl: (")) {
        return Err(format!("{}: {line}", commands.join(", ")));
    }
    let said = said.split('\0').map(|part| part.trim_end().to_owned() + "\n");
    Ok(said.skip(1).collect())
}

/// The text without its times: a transcript keeps the ones it has.
pub(crate) fn timeless(text: &str) -> String {
    let times = Regex::new(r#"( after |"elapsed_ms":)[0-9.]+"#);
    times.expect("it is valid").replace_all(text, "$1…").into_owned()
}

/// Replaces everything that differs from run to run with something constant.
fn stable(text: &str) -> String {
    let mut text = text.replace('\r', "");
    for (pattern, replacement) in [
        (r"(?m)^date: .*$", "date: …"),
        (r"(thread '[^']*') \(\d+\) panicked", "$1 panicked"),
    ] {
        let pattern = Regex::new(pattern).expect("it is valid");
        text = pattern.replace_all(&text, replacement).into_owned();
    }
    // A response's headers come in any order.
    let headers = Regex::new(r"(?m)^(HTTP/.*\n)((?:[a-z-]+: .*\n)+)")
        .expect("it is valid");
    let sorted = headers.replace_all(&text, |found: &Captures| {
        let mut headers: Vec<&str> = found[2].lines().collect();
        headers.sort();
        format!("{}{}\n", &found[1], headers.join("\n"))
    });
    sorted.into_owned()
}
