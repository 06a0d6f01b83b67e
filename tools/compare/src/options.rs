//! The command line.

use std::{
    collections::HashSet,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::{
    CommandFactory, Parser, builder::PossibleValuesParser, error::ErrorKind,
};

use common::{default_threads, parse_port, parse_threads, parsed};
use harness::STEPS;

/// The first three steps in Node.js, in order.
pub const NODE: [&str; 3] =
    ["node1-blocking", "node2-single-worker", "node3-multi-worker"];

/// An example of step 1.
pub const TWO_WORKERS: &str = "two-workers";

/// Its dependencies take longer to build than all others together.
const TAKES_LONG: &str = "step9-many-machines";

/// Between step 3 and the last of them, /blocking and /non-blocking don't
/// differ.
const DEFAULT: [&str; 4] = [
    "step1-blocking",
    "step2-single-worker",
    "step3-multi-worker",
    "step7-cancellation",
];

/// How far servers count to show that they are ready: a fraction of a second.
const TRIAL: u64 = 100_000_000;

/// The command line's options. Each line of `--help` fits into 80 columns: clap
/// wraps them only with another crate.
#[derive(Debug, Parser)]
#[command(about, after_help = AFTER_HELP, next_line_help = true)]
#[command(args_override_self = true, allow_negative_numbers = true)]
pub struct Options {
    /// Run only these steps, such as step1-blocking,step3-multi-worker
    /// [default: 1, 2, 3 and 7; with --live or --ready, 1 to 8]
    #[arg(long, value_name = "STEP,…", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(STEPS.iter().copied()))]
    #[arg(hide_possible_values = true, verbatim_doc_comment)]
    only: Vec<String>,

    /// Also measure a server that is already running and has both
    /// routes; can be repeated
    #[arg(long = "url", value_name = "NAME=URL", verbatim_doc_comment)]
    urls: Vec<String>,

    #[arg(skip)]
    peers: Vec<Subject>,

    /// Also run the first three steps in Node.js, from tools/peers/node
    #[arg(long)]
    pub node: bool,

    /// Also run step 1 with two server threads
    #[arg(long)]
    pub two_workers: bool,

    /// How far /blocking counts
    #[arg(long, value_name = "N", env, default_value = "10_000_000_000")]
    #[arg(hide_env_values = true, value_parser = parsed(iterations))]
    pub iterations: u64,

    /// How many threads to divide the count among
    #[arg(long, value_name = "N", env, default_value_t = default_threads().get())]
    #[arg(hide_env_values = true, value_parser = parsed(number))]
    pub threads: usize,

    /// How many /blocking requests to send at once
    #[arg(long, value_name = "K", default_value = "1")]
    #[arg(value_parser = parsed(number))]
    pub concurrency: usize,

    /// Also measure step 3 with these thread counts, and with one,
    /// to show what each extra thread adds
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    #[arg(value_parser = parsed(number), verbatim_doc_comment)]
    pub scaling: Vec<usize>,

    /// How many times to measure each server
    /// [default: 3, or as often as half a minute allows]
    #[arg(long, value_name = "N", value_parser = parsed(number))]
    #[arg(verbatim_doc_comment)]
    pub runs: Option<usize>,

    /// The folder for report.html and results.json [default: target/compare]
    #[arg(long, value_name = "DIR", hide_default_value = true)]
    #[arg(default_value_os_t = harness::workspace().join("target/compare"))]
    pub report: PathBuf,

    /// Start all servers at once, and show them live on one page
    /// until Ctrl-C
    #[arg(long, verbatim_doc_comment)]
    pub live: bool,

    /// The port for that page; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value = "4000")]
    #[arg(value_parser = parsed(parse_port))]
    pub live_port: u16,

    /// Start each server once, and report whether everything is ready
    /// for a class
    #[arg(long, conflicts_with = "live", verbatim_doc_comment)]
    pub ready: bool,

    /// Instead of measuring, show how a step differs from the one
    /// before it, or how two steps differ
    #[arg(long, value_name = "STEP", num_args = 1..=2, exclusive = true)]
    #[arg(value_parser = parsed(step), verbatim_doc_comment)]
    diff: Vec<usize>,
}

const AFTER_HELP: &str = "\
Examples:
  cargo run
  cargo run -- --only step1-blocking,step3-multi-worker --threads 4
  cargo run -- --node
  cargo run -- --url mine=http://localhost:8000
  cargo run -- --live
  cargo run -- --ready
  cargo run -- --diff 3 4
  cargo run --release -- --scaling 1,2,4,8

The exit status is 0 only when everything was measured as asked for.";

/// A server to measure.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
}

/// Where a server comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is a step, which is built and started.
    Step,
    /// It is an example of step 1, which is built and started.
    Example,
    /// It is a stage in Node.js, which is started.
    Node,
    /// It runs there already; no slash at the end.
    Url(String),
}

impl Subject {
    fn new(name: &str, source: Source) -> Self {
        Self { name: name.to_owned(), source }
    }
}

impl Options {
    /// Reads the command line. A mistake in it ends the process with status 2.
    pub fn read() -> Self {
        let options = Self::parse();
        options.checked().unwrap_or_else(|error| error.exit())
    }

    /// What follows from several values, and what can't be seen in a single one.
    fn checked(mut self) -> Result<Self, clap::Error> {
        let wrong =
            |why| Self::command().error(ErrorKind::ValueValidation, why);
        if self.ready {
            self.two_workers = true;
            self.iterations = TRIAL;
            self.runs = Some(1);
        }
        match self.diff[..] {
            [1] => {
                let why = "--diff: there is no step before step 1";
                return Err(wrong(why.into()));
            }
            [one, other] if one == other => {
                let why =
                    format!("--diff: step {one} doesn't differ from itself");
                return Err(wrong(why));
            }
            _ => (),
        }
        // Clap's own message would repeat the value, and a password in it.
        let peers = self.urls.iter().map(|url| peer(url).ok_or(NOT_A_PEER));
        self.peers =
            peers.collect::<Result<_, _>>().map_err(|it| wrong(it.into()))?;
        let mut names = HashSet::new();
        let subjects = self.subjects();
        match subjects.iter().find(|it| !names.insert(&it.name)) {
            None => Ok(self),
            Some(Subject { name, .. }) => {
                Err(wrong(format!("--url: two servers can't both be '{name}'")))
            }
        }
    }

    /// The two steps whose difference is asked for.
    pub fn diff(&self) -> Option<(usize, usize)> {
        match self.diff[..] {
            [after] => Some((after - 1, after)),
            [before, after] => Some((before, after)),
            _ => None,
        }
    }

    /// The servers to measure, in order.
    pub fn subjects(&self) -> Vec<Subject> {
        let is_chosen = |step: &&str| match self.only[..] {
            [] if self.live || self.ready => *step != TAKES_LONG,
            [] => DEFAULT.contains(step),
            ref only => only.iter().any(|name| name == step),
        };
        let steps = STEPS.into_iter().filter(is_chosen);
        let steps = steps.map(|step| Subject::new(step, Source::Step));
        let example = self
            .two_workers
            .then(|| Subject::new(TWO_WORKERS, Source::Example));
        let stages = NODE.into_iter().filter(|_| self.node);
        let stages = stages.map(|stage| Subject::new(stage, Source::Node));
        let peers = self.peers.iter().cloned();
        steps.chain(example).chain(stages).chain(peers).collect()
    }

    /// The time from one probe to the next.
    pub fn interval(&self) -> Duration {
        Duration::from_millis(if self.live { 50 } else { 10 })
    }

    /// How long a response may take before it counts as missing. A minute per
    /// billion rounds is more than any server needs.
    pub fn patience(&self) -> Duration {
        let billions = self.iterations / 1_000_000_000;
        Duration::from_secs(60 * (1 + billions) * self.concurrency as u64)
    }
}

const NOT_A_PEER: &str = "--url: expected a name, = and a URL that begins with \
    http://, as in mine=http://localhost:8000; a user name, a password, a query \
    (after ?) and a fragment (after #) aren't sent";

/// A server with a name; none unless all of its URL can be sent.
fn peer(text: &str) -> Option<Subject> {
    let (name, url) = text.split_once('=')?;
    let (name, url) = (name.trim(), url.trim_end_matches('/'));
    let uri: hyper::Uri = url.parse().ok()?;
    let port = uri.port_u16().map_or("".into(), |port| format!(":{port}"));
    let sent = format!("http://{}{port}{}", uri.host()?, uri.path());
    let is_sent = sent.trim_end_matches('/') == url;
    let is_name = !name.is_empty() && !name.contains(char::is_control);
    let url = Source::Url(url.to_owned());
    (is_sent && is_name).then(|| Subject::new(name, url))
}

fn iterations(text: &str) -> Result<u64, String> {
    let number = text.replace('_', "").parse().map(NonZeroU64::get);
    let range = format!("expected a whole number from 1 to {}", u64::MAX);
    number.map_err(|_| range)
}

fn number(text: &str) -> Result<usize, String> {
    parse_threads(text).map(NonZeroUsize::get)
}

fn step(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(step) if (1..=STEPS.len()).contains(&step) => Ok(step),
        _ => Err(format!("the steps are 1 to {}", STEPS.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[&str]) -> Result<Options, clap::Error> {
        let words = [&["compare"], options].concat();
        Options::try_parse_from(words)?.checked()
    }

    #[test]
    fn a_bad_value_is_rejected_with_the_accepted_ones() {
        let [unlike, taken] = ["mine=http://localhost:8000", "can't both be"];
        for (options, accepted) in [
            (&["--only=step0"][..], "step1-blocking"),
            (&["--iterations=0"], "from 1 to 18446744073709551615"),
            (&["--iterations=1e10"], "whole number"),
            (&["--threads=-1"], "from 1 to 1024"),
            (&["--scaling=1,,2"], "from 1 to 1024"),
            (&["--diff=0"], "1 to 9"),
            (&["--diff=1"], "no step before"),
            (&["--diff", "3", "3"], "from itself"),
            (&["--diff", "2", "--live"], "cannot be used with"),
            (&["--url=mine"], unlike),
            (&["--url==http://localhost:8000"], unlike),
            (&["--url=a=localhost:8000"], unlike),
            (&["--url=a\x1b[2J=http://localhost:8000"], unlike),
            (&["--url=a=https://localhost:8000"], unlike),
            (&["--url=a=http://localhost:70000"], unlike),
            (&["--url=a=http://me:secret@localhost:8000"], "aren't sent"),
            (&["--url=a=http://localhost:8000/?b=c"], "aren't sent"),
            (&["--url=step1-blocking=http://b"], taken),
            (&["--url=a=http://b", "--url=a=http://c"], taken),
        ] {
            let error = read(options).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let error = error.to_string();
            let option = options[0].split('=').next().unwrap();
            assert!(error.contains(option), "{error}");
            assert!(error.contains(accepted), "{options:?}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_good_value_is_taken_and_both_kinds_of_help_are_the_same() {
        let mut url = read(&["--url=mine =http://[::1]:8000/app/"]).unwrap();
        let Subject { name, source } = url.peers.remove(0);
        assert_eq!(name, "mine");
        assert_eq!(source, Source::Url("http://[::1]:8000/app".into()));
        let diff = |steps: &[&str]| {
            read(&[&["--diff"], steps].concat()).unwrap().diff().unwrap()
        };
        assert_eq!([diff(&["4"]), diff(&["1", "4"])], [(3, 4), (1, 4)]);
        assert_eq!(read(&["--iterations=10_000"]).unwrap().iterations, 10_000);
        let [short, long] = ["-h", "--help"]
            .map(|option| read(&[option]).unwrap_err().to_string());
        assert_eq!(short, long);
    }
}
