use std::{
    fmt::{self, Display},
    io::{self, Write},
    iter,
    net::SocketAddr,
    num::NonZeroUsize,
    process, thread,
    time::Duration,
};

use clap::{
    CommandFactory, FromArgMatches, Parser, ValueEnum,
    builder::NonEmptyStringValueParser, error::ErrorKind, parser::ValueSource,
};

/// The most threads that can be asked for: enough to see that more aren't
/// faster, too few to bring the machine down.
const MOST_THREADS: usize = 1024;

/// The most requests that can be admitted: each holds a connection open.
const LONGEST_QUEUE: u32 = 10_000;

/// The longest time, in seconds, that a stop or a request may take: a day.
const LONGEST_WAIT: u64 = 24 * 60 * 60;

/// Flags that only some of the steps have.
const OPTIONAL: [&str; 5] =
    ["threads", "queue", "priority", "shutdown_timeout", "timeout"];

/// What a step was started with: flags, or else the environment, or else the
/// defaults.
#[derive(Clone, Debug, Parser)]
#[command(disable_help_subcommand = true)]
pub struct Settings {
    /// The step's name: that of its crate.
    #[arg(skip)]
    pub step: &'static str,

    /// The step in one sentence: the description of its crate.
    #[arg(skip)]
    pub idea: &'static str,

    /// Which of the optional flags it takes.
    #[arg(skip)]
    flags: &'static [&'static str],

    /// The address or the name to listen on
    #[arg(long, env, default_value = "127.0.0.1")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub host: String,

    /// The port to listen on; 0 takes a free one
    #[arg(long, env, default_value = "3000", allow_hyphen_values = true)]
    #[arg(value_parser = port)]
    pub port: u16,

    /// How far /blocking counts; 10_000_000_000 is accepted too
    #[arg(long, env, default_value = "10000000000")]
    #[arg(allow_hyphen_values = true, value_parser = iterations)]
    pub iterations: u64,

    /// How many threads share the counting
    #[arg(long, env, default_value_t = default_threads())]
    #[arg(allow_hyphen_values = true, value_parser = threads)]
    pub threads: NonZeroUsize,

    /// How many requests may be admitted and unfinished
    #[arg(long, env, default_value = "64")]
    #[arg(allow_hyphen_values = true, value_parser = queue)]
    pub queue: u32,

    /// How urgent the pool's threads are next to the server's own
    #[arg(long, env, default_value = "low")]
    pub priority: Priority,

    /// How many seconds admitted requests may take once the server stops
    #[arg(long, env, default_value = "30")]
    #[arg(allow_hyphen_values = true, value_parser = seconds)]
    pub shutdown_timeout: Duration,

    /// How many seconds a request may take; as many as it needs, if not given
    #[arg(long, env)]
    #[arg(allow_hyphen_values = true, value_parser = limit)]
    pub timeout: Option<Duration>,
}

/// How urgent a thread is next to others that want the same core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Priority {
    /// As little as the system allows: it runs when no one else wants to.
    Low,
    /// Like any other thread.
    Normal,
}

/// The settings of the step that calls it: `settings!()`, or with the flags
/// that only some of the steps have, `settings!("threads")`.
///
/// A `--help` or a wrong setting ends the process here, as with every
/// command-line program; see [`Settings::from_args`].
#[macro_export]
macro_rules! settings {
    ($($flag:literal),*) => {
        $crate::Settings::from_args(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_DESCRIPTION"),
            &[$($flag),*],
        )
    };
}

impl Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Normal => "normal",
        })
    }
}

impl Settings {
    /// Reads the settings of the step `step`, whose one sentence is `idea`.
    ///
    /// `flags` names those of the optional flags that the step takes. The
    /// others are unknown to it, and their variables are ignored; without
    /// `"threads"` a step counts with one.
    ///
    /// A wrong setting ends the process with status 2 and a message that names
    /// the setting, the value and what is accepted; `--help` with status 0.
    ///
    /// # Panics
    /// When `flags` has a name that isn't one of the optional flags.
    pub fn from_args(
        step: &'static str,
        idea: &'static str,
        flags: &'static [&'static str],
    ) -> Self {
        let unknown = flags.iter().find(|flag| !OPTIONAL.contains(flag));
        assert_eq!(unknown, None, "the optional flags are {OPTIONAL:?}");

        let without = OPTIONAL.iter().filter(|flag| !flags.contains(flag));
        let mut command = Self::command().name(step).about(idea);
        for flag in without.clone() {
            command = command.mut_arg(flag, |arg| {
                let arg = arg.hide(true).env(None);
                if *flag == "threads" { arg.default_value("1") } else { arg }
            });
        }
        let matches = command.get_matches_mut();
        for flag in without {
            if matches.value_source(flag) == Some(ValueSource::CommandLine) {
                let flag = flag.replace('_', "-");
                let message = format!("{step} has no flag '--{flag}'");
                command.error(ErrorKind::UnknownArgument, message).exit();
            }
        }
        let settings = Self::from_arg_matches(&matches)
            .unwrap_or_else(|error| error.exit());
        Self { step, idea, flags, ..settings }
    }

    /// Where to listen: host and port, as `HttpServer::bind` takes them.
    pub fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Ends the process with status 1: says on standard error that the step
    /// can't listen on its address, why, and what to change.
    pub fn cannot_listen(&self, error: io::Error) -> ! {
        let Self { step, host, port, .. } = self;
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another program has the port, perhaps another step: stop it, \
                 or choose another port with PORT=3001 (PORT=0 takes a free \
                 one)"
            }
            io::ErrorKind::PermissionDenied => {
                "choose a port from 1024 on, for instance with PORT=3000"
            }
            _ => "check HOST and PORT",
        };
        eprintln!("{step}: can't listen on {host}:{port}: {error}\n{hint}");
        process::exit(1)
    }

    /// Ends the process with status 1: says on standard error that the threads
    /// can't be started, why, and what to change.
    pub fn cannot_start_threads(&self, error: io::Error) -> ! {
        let Self { step, threads, .. } = self;
        eprintln!(
            "{step}: can't start {threads} threads: {error}\n\
             try fewer, for instance with THREADS=2"
        );
        process::exit(1)
    }

    /// What the work of the step was set to, as names and values: its
    /// iterations, and those of the optional flags that it takes.
    pub fn list(&self) -> Vec<(&'static str, String)> {
        let iterations = ("iterations", self.iterations.to_string());
        let s = |time: Duration| format!("{} s", time.as_secs());
        let optional = self.flags.iter().map(|flag| match *flag {
            "threads" => ("threads", self.threads.to_string()),
            "queue" => ("queue", self.queue.to_string()),
            "priority" => ("priority", self.priority.to_string()),
            "timeout" => ("timeout", self.timeout.map_or("off".into(), s)),
            _ => ("shutdown timeout", s(self.shutdown_timeout)),
        });
        iter::once(iterations).chain(optional).collect()
    }

    /// Prints the one line that says where the step listens, for people and
    /// for programs, and what it was started with.
    pub fn announce(&self, addresses: &[SocketAddr]) {
        let urls: Vec<String> =
            addresses.iter().map(|a| format!("http://{a}")).collect();
        let settings: Vec<String> = self
            .list()
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let line = format!(
            "{} listening on {} ({})",
            self.step,
            urls.join(" "),
            settings.join(", "),
        );
        // Not println!, which panics when nobody reads standard output.
        if let Err(error) = writeln!(io::stdout(), "{line}") {
            eprintln!("{line}\nstandard output: {error}");
        }
    }
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| {
        expected("a whole number from 0 to 65535; 0 takes a free port")
    })
}

fn iterations(text: &str) -> Result<u64, String> {
    let range = format!("a whole number from 0 to {}", u64::MAX);
    text.replace('_', "").parse().map_err(|_| expected(range))
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    let range = format!("a whole number from 1 to {MOST_THREADS}");
    match text.parse::<NonZeroUsize>() {
        Ok(threads) if threads.get() <= MOST_THREADS => Ok(threads),
        _ => Err(expected(range)),
    }
}

fn queue(text: &str) -> Result<u32, String> {
    let range = format!("a whole number from 1 to {LONGEST_QUEUE}");
    match text.parse() {
        Ok(length @ 1..=LONGEST_QUEUE) => Ok(length),
        _ => Err(expected(range)),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let range = format!("a whole number of seconds from 0 to {LONGEST_WAIT}");
    match text.parse() {
        Ok(seconds @ 0..=LONGEST_WAIT) => Ok(Duration::from_secs(seconds)),
        _ => Err(expected(range)),
    }
}

fn limit(text: &str) -> Result<Duration, String> {
    let range = format!("a whole number of seconds from 1 to {LONGEST_WAIT}");
    match seconds(text) {
        Ok(time) if !time.is_zero() => Ok(time),
        _ => Err(expected(range)),
    }
}

fn expected(what: impl Display) -> String {
    format!("expected {what}")
}

/// Four, or fewer where the machine, or the share of it that this process may
/// use, has fewer cores.
fn default_threads() -> NonZeroUsize {
    const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();
    thread::available_parallelism().map_or(FOUR, |cores| cores.min(FOUR))
}
