//! The command line.

use std::{
    collections::HashSet,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

use clap::{
    CommandFactory, Parser, builder::PossibleValuesParser, error::ErrorKind,
};

use common::{default_threads, parse_port, parse_threads, parsed};
use harness::STEPS;

use crate::format::sanitized;

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

/// The command line's options. Each line of `--help` fits into 80 columns: clap
/// wraps them only with another crate.
#[derive(Debug, Parser)]
#[command(about, after_help = AFTER_HELP, next_line_help = true)]
#[command(args_override_self = true)]
pub struct Options {
    /// Run only these steps, such as step1-blocking,step3-multi-worker
    /// [default: 1, 2, 3 and 7; with --live or --ready, 1 to 8]
    #[arg(long, value_name = "STEP,…", value_delimiter = ',')]
    #[arg(value_parser = PossibleValuesParser::new(STEPS.iter().copied()))]
    #[arg(hide_possible_values = true, verbatim_doc_comment)]
    pub only: Vec<String>,

    /// Also measure a server that is already running and has both
    /// routes; can be repeated
    #[arg(long = "url", value_name = "NAME=URL", verbatim_doc_comment)]
    #[arg(value_parser = parsed(|text| Ok(text.to_owned())))]
    urls: Vec<String>,

    /// Also run the first three steps in Node.js, from tools/peers/node
    #[arg(long)]
    pub node: bool,

    /// Also run step 1 with two server threads
    #[arg(long)]
    pub two_workers: bool,

    /// The parsed `urls`.
    #[arg(skip)]
    pub peers: Vec<Peer>,

    /// How far /blocking counts
    #[arg(long, value_name = "N", env, default_value = "10_000_000_000")]
    #[arg(allow_hyphen_values = true, value_parser = parsed(iterations))]
    #[arg(hide_env_values = true)]
    pub iterations: NonZeroU64,

    /// How many threads to divide the count among
    #[arg(long, value_name = "N", env, default_value_t = default_threads())]
    #[arg(allow_hyphen_values = true, value_parser = parsed(parse_threads))]
    #[arg(hide_env_values = true)]
    pub threads: NonZeroUsize,

    /// How many /blocking requests to keep in flight
    #[arg(long, value_name = "K", default_value = "1")]
    #[arg(allow_hyphen_values = true, value_parser = parsed(parse_threads))]
    pub concurrency: NonZeroUsize,

    /// Also measure step 3 with these thread counts, and with one,
    /// to show what each extra thread adds
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    #[arg(allow_hyphen_values = true, value_parser = parsed(parse_threads))]
    #[arg(verbatim_doc_comment)]
    pub scaling: Vec<NonZeroUsize>,

    /// How many times to measure each server
    /// [default: up to 3, within half a minute in all]
    #[arg(long, value_name = "N", verbatim_doc_comment)]
    #[arg(allow_hyphen_values = true, value_parser = parsed(parse_threads))]
    pub runs: Option<NonZeroUsize>,

    /// Milliseconds from one probe to the next; 50 with --live
    #[arg(long, value_name = "MS", default_value = "10")]
    #[arg(default_value_if("live", "true", "50"))]
    #[arg(allow_hyphen_values = true, value_parser = parsed(parse_threads))]
    pub interval: NonZeroUsize,

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
    #[arg(allow_hyphen_values = true, value_parser = parsed(parse_port))]
    pub live_port: u16,

    /// Start each server once, and report whether everything is ready
    /// for a class
    #[arg(long, conflicts_with = "live", verbatim_doc_comment)]
    pub ready: bool,

    /// Instead of measuring, show how a step differs from the one
    /// before it, or how two steps differ
    #[arg(long, value_name = "STEP", num_args = 1..=2, exclusive = true)]
    #[arg(allow_hyphen_values = true, value_parser = parsed(step))]
    #[arg(verbatim_doc_comment)]
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

/// A server that is already running.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Where it is, without a slash at the end.
    pub url: String,
}

impl Options {
    /// Reads the command line. A mistake in it ends the process with status 2.
    pub fn read() -> Self {
        let mut options = Self::parse();
        let checked = match options.diff[..] {
            [1] => Err("--diff: there is no step before step 1".into()),
            [before, after] if before == after => {
                Err(format!("--diff: step {after} doesn't differ from itself"))
            }
            _ => peers(&options.urls),
        };
        match checked {
            Ok(peers) => options.peers = peers,
            // Clap's own message would repeat the value, and a password in it.
            Err(error) => {
                let kind = ErrorKind::ValueValidation;
                Self::command().error(kind, error).exit()
            }
        }
        options
    }

    /// The two steps whose difference is asked for.
    pub fn diff(&self) -> Option<(usize, usize)> {
        match self.diff[..] {
            [after] => Some((after - 1, after)),
            [before, after] => Some((before, after)),
            _ => None,
        }
    }

    /// The chosen steps, in their order.
    pub fn steps(&self) -> impl Iterator<Item = &'static str> {
        let chosen = |step: &&str| match self.only[..] {
            [] if self.live || self.ready => *step != TAKES_LONG,
            [] => DEFAULT.contains(step),
            ref only => only.iter().any(|name| name == step),
        };
        STEPS.iter().copied().filter(chosen)
    }
}

fn peers(urls: &[String]) -> Result<Vec<Peer>, String> {
    let names = STEPS.iter().chain(&NODE).chain([&TWO_WORKERS]);
    let mut names: HashSet<_> = names.map(|name| name.to_string()).collect();
    let peers = urls.iter().map(|text| {
        let peer = peer(text)?;
        if names.insert(peer.name.clone()) {
            Ok(peer)
        } else {
            Err(format!("--url: two servers can't both be '{}'", peer.name))
        }
    });
    peers.collect()
}

fn peer(text: &str) -> Result<Peer, String> {
    if text.contains(['@', '?', '#']) {
        return Err("--url: a user name, a password, a query (after ?) and a \
                    fragment (after #) aren't sent; leave them out"
            .into());
    }
    let shown = sanitized(text, text.len());
    let expected = || {
        format!(
            "--url: expected a name, = and a URL that begins with http://, as \
             in mine=http://localhost:8000, not '{shown}'"
        )
    };
    let (name, url) = text.split_once('=').ok_or_else(expected)?;
    let uri: hyper::Uri = url.parse().map_err(|_| expected())?;
    // A port that isn't a number would be dropped in silence.
    let is_whole = uri.authority().is_some_and(|authority| {
        authority.port().is_some() || authority.as_str() == authority.host()
    });
    let name = name.trim().to_owned();
    let is_named = !name.is_empty() && shown == text.trim();
    if !is_named || uri.scheme_str() != Some("http") || !is_whole {
        return Err(expected());
    }
    Ok(Peer { name, url: url.trim_end_matches('/').to_owned() })
}

fn iterations(text: &str) -> Result<NonZeroU64, String> {
    let range = format!("expected a whole number from 1 to {}", u64::MAX);
    text.replace('_', "").parse().map_err(|_| range)
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

    #[test]
    fn a_bad_value_is_rejected_with_the_accepted_ones() {
        let bad = [
            ("only", "step0", "step1-blocking"),
            ("iterations", "0", "from 1 to 18446744073709551615"),
            ("iterations", "1e10", "whole number"),
            ("threads", "", "from 1 to 1024"),
            ("threads", "-1", "from 1 to 1024"),
            ("threads", "\u{fffd}", "from 1 to 1024"),
            ("concurrency", "1.5", "from 1 to 1024"),
            ("scaling", "1,,2", "from 1 to 1024"),
            ("runs", "1025", "from 1 to 1024"),
            ("interval", "10ms", "from 1 to 1024"),
            ("live-port", "65536", "from 0 to 65535"),
            ("diff", "0", "1 to 9"),
            ("diff", "two", "1 to 9"),
        ];
        for (flag, value, accepted) in bad {
            let option = format!("--{flag}={value}");
            let error = Options::try_parse_from(["compare", &option]);
            let error = error.unwrap_err().to_string();
            assert!(error.contains(&format!("'--{flag}")), "{error}");
            assert!(error.contains(accepted), "{option}: {error}");
        }
        let good = ["compare", "--iterations=10_000", "--runs=1024"];
        assert!(Options::try_parse_from(good).is_ok());
    }

    #[test]
    fn a_url_is_honoured_or_refused_and_its_password_is_never_repeated() {
        for bad in [
            "mine",
            "=http://localhost:8000",
            "a=localhost:8000",
            "a=\x1b[2J",
            "a\x1b[2J=http://localhost:8000",
            "a=https://localhost:8000",
            "a=http://",
            "a=http://localhost:70000",
            "a = http://localhost:8000",
        ] {
            let error = peer(bad).unwrap_err();
            assert!(error.contains("mine=http://localhost:8000"), "{error}");
            assert!(!error.contains('\x1b'), "{error}");
        }
        for secret in [
            "http://me:secret@localhost:8000",
            "a=https://me:secret@localhost:8000",
            "a=http://localhost:8000/?token=secret",
            "a=http://localhost:8000/#secret",
        ] {
            let error = peer(secret).unwrap_err();
            assert!(error.contains("aren't sent"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
        for taken in ["step1-blocking", "node1-blocking", "two-workers"] {
            let error = peers(&[format!("{taken}=http://b")]).unwrap_err();
            assert!(error.contains("both"), "{error}");
        }
        let twice = ["a=http://b", "a=http://c"].map(String::from);
        assert!(peers(&twice).is_err());
        let good = peer("mine =http://[::1]:8000/app/").unwrap();
        assert_eq!(
            (&*good.name, &*good.url),
            ("mine", "http://[::1]:8000/app")
        );
    }

    #[test]
    fn a_difference_is_with_the_step_before_or_between_two_steps() {
        let diff = |steps: &[&str]| {
            let words = [&["compare", "--diff"], steps].concat();
            Options::try_parse_from(words).map(|options| options.diff())
        };
        assert_eq!(diff(&["4"]).unwrap(), Some((3, 4)));
        assert_eq!(diff(&["1", "4"]).unwrap(), Some((1, 4)));
        assert!(diff(&[]).is_err());
        assert!(diff(&["1", "2", "3"]).is_err());
        assert!(diff(&["2", "--live"]).is_err());
    }
}
