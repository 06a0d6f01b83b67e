use std::{
    env,
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    iter,
    net::{Ipv6Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    process, thread,
    time::Duration,
};

use clap::{
    ArgMatches, Command, CommandFactory, FromArgMatches, Parser, ValueEnum,
    builder::{
        ArgPredicate, NonEmptyStringValueParser, OsStringValueParser,
        TypedValueParser,
    },
    error::ErrorKind,
    parser::ValueSource,
};
use thread_priority::{ThreadPriority, set_current_thread_priority};

use crate::{log, rehearsal::rehearse};

/// The most threads that can be asked for: enough to see that more aren't
/// faster, too few to bring the machine down.
const MOST_THREADS: usize = 1024;

/// The most requests that can be admitted: each holds a connection open.
const LONGEST_QUEUE: usize = 10_000;

/// The longest time, in seconds, that a stop or a request may take: a day.
const LONGEST_WAIT: u64 = 24 * 60 * 60;

/// Flags that every step has; the others are only for those that name them.
const COMMON: [&str; 3] = ["host", "port", "iterations"];

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

    /// What the work of the step was set to, as names and values.
    #[arg(skip)]
    list: Vec<(String, String)>,

    /// The address or the name to listen on
    #[arg(long, env, default_value = "127.0.0.1")]
    #[arg(allow_negative_numbers = true, value_parser = parsed(host))]
    pub host: String,

    /// The port to listen on; 0 takes a free one
    #[arg(long, env, default_value = "3000", allow_hyphen_values = true)]
    #[arg(value_parser = parsed(port))]
    pub port: u16,

    /// How far /blocking counts; 10_000_000_000 is accepted too
    #[arg(long, env, default_value = "10000000000")]
    #[arg(allow_hyphen_values = true, value_parser = parsed(iterations))]
    pub iterations: u64,

    /// How many threads share the counting
    #[arg(long, env, default_value_t = default_threads())]
    #[arg(default_value_if("engine", ArgPredicate::IsPresent, "16"))]
    #[arg(allow_hyphen_values = true, value_parser = parsed(threads))]
    pub threads: NonZeroUsize,

    /// How many requests may be admitted and unfinished
    #[arg(long, env, default_value = "64")]
    #[arg(allow_hyphen_values = true, value_parser = parsed(queue))]
    pub queue: usize,

    /// How urgent the pool's threads are next to the server's own
    #[arg(long, env, default_value = "low", allow_hyphen_values = true)]
    pub priority: Priority,

    /// How many seconds admitted requests may take once the server stops
    #[arg(long, env, default_value = "30")]
    #[arg(allow_hyphen_values = true, value_parser = parsed(seconds))]
    pub shutdown_timeout: Duration,

    /// How many seconds a request may take; as many as it needs, if not given
    #[arg(long, env)]
    #[arg(allow_hyphen_values = true, value_parser = parsed(limit))]
    pub timeout: Option<Duration>,

    /// How many seconds a client may send nothing of its body
    #[arg(long, env, default_value = "10")]
    #[arg(allow_hyphen_values = true, value_parser = parsed(limit))]
    pub body_timeout: Duration,

    /// Where the engine is that brings shares to workers, as in
    /// nats://127.0.0.1:4222; without one, the step's own threads do them. With
    /// one there are 16 shares, if THREADS doesn't say otherwise
    #[arg(long, env = "NATS_URL", hide_env_values = true)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub engine: Option<String>,

    /// A file with the certificate of who signs the engine's, for tls://
    #[arg(long, env = "NATS_CA")]
    pub engine_ca: Option<PathBuf>,

    /// A file with credentials for the engine, in place of user and password
    #[arg(long, env = "NATS_CREDS")]
    pub engine_creds: Option<PathBuf>,

    /// On how many engines of a cluster each share is kept
    #[arg(long, env, default_value = "1")]
    #[arg(allow_hyphen_values = true, value_parser = parsed(replicas))]
    pub replicas: usize,

    /// What to be instead of a server: `work` does the shares of others
    pub role: Option<Role>,
}

/// What a program is that isn't a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// A worker.
    Work,
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
/// that only some of the steps have, `settings!("threads priority")`.
///
/// A `--help` or a wrong setting ends the process here, as with every
/// command-line program; see [`Settings::from_args`].
#[macro_export]
macro_rules! settings {
    ($($flags:literal)?) => {
        $crate::Settings::from_args(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_DESCRIPTION"),
            concat!($($flags)?),
        )
    };
}

impl Priority {
    /// Gives it to the thread that calls this. Where the system doesn't allow
    /// that, it says so on standard error, and the thread goes on as it was.
    pub fn apply(self) {
        let set = match self {
            Self::Low => set_current_thread_priority(ThreadPriority::Min),
            Self::Normal => Ok(()),
        };
        if let Err(error) = set {
            log(format!("can't lower the priority of a thread: {error:?}"));
        }
    }
}

impl Settings {
    /// The environment variables of all flags, those of every step.
    pub fn variables() -> Vec<String> {
        let command = Self::command();
        let variables = command.get_arguments().filter_map(|it| it.get_env());
        variables.map(|it| it.to_string_lossy().into_owned()).collect()
    }

    /// Reads the settings of the step `step`, whose one sentence is `idea`.
    ///
    /// `flags` names those of the optional flags that the step takes, separated
    /// by spaces. The others are unknown to it, and their variables are ignored; without
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
        flags: &str,
    ) -> Self {
        let flags: Vec<&str> =
            flags.split(' ').filter(|it| !it.is_empty()).collect();
        let mut command = Self::command().name(step).about(idea);
        let optional = optional(&command);
        let unknown =
            flags.iter().find(|it| !optional.iter().any(|o| o == *it));
        assert_eq!(unknown, None, "the optional flags are {optional:?}");

        let mut without = optional;
        let engine = ["role", "engine_ca", "engine_creds", "replicas"];
        without.retain(|it| {
            let name = it.as_str();
            let flag = if engine.contains(&name) { "engine" } else { name };
            !flags.contains(&flag)
        });
        for flag in &without {
            // Before its value is read, which may be wrong too.
            let name = format!("--{}", flag.replace('_', "-"));
            let is_it = |it: OsString| {
                it.to_string_lossy().split('=').next() == Some(&name)
            };
            if env::args_os().any(is_it) {
                let message = format!("{step} has no flag '{name}'");
                command.error(ErrorKind::UnknownArgument, message).exit();
            }
            command = command.mut_arg(flag, |arg| {
                let arg = arg.hide(true).env(None);
                if flag == "threads" { arg.default_value("1") } else { arg }
            });
        }
        let matches = command.get_matches_mut();
        if without.iter().any(|it| it == "role") && matches.contains_id("role")
        {
            let message =
                format!("{step} is always a server: leave out 'work'");
            command.error(ErrorKind::UnknownArgument, message).exit();
        }
        if matches.value_source("engine") == Some(ValueSource::CommandLine)
            && matches.get_one("engine").is_some_and(has_secret)
        {
            // Nor is it repeated here.
            let message = "--engine: expected an address without user or \
                           password, which all users of this machine could \
                           read: set NATS_URL instead";
            command.error(ErrorKind::InvalidValue, message).exit();
        }
        let settings = Self::from_arg_matches(&matches)
            .unwrap_or_else(|error| error.exit());
        let set = iter::once("iterations").chain(flags);
        let list = set.map(|flag| value(&matches, flag)).collect();
        Self { step, idea, list, ..settings }
    }

    /// Prints the one line that says that a worker works, and what it is called.
    pub fn announce_worker(&self, name: &str) {
        let (step, engine) = (self.step, self.engine_address());
        say(format!("{step} working for {engine} as {name}"));
    }

    /// Where the engine is, without user, password and token.
    pub fn engine_address(&self) -> String {
        without_secret(self.engine.as_deref().unwrap_or_default())
    }

    /// Ends the process with status 1: says on standard error that the engine
    /// can't be used, why, and what to change.
    pub fn cannot_use_engine(&self, error: impl Display) -> ! {
        let (step, engine) = (self.step, self.engine_address());
        let ca = self.engine_ca.as_ref().map_or(String::new(), |file| {
            format!(", and the file of NATS_CA, {}", file.display())
        });
        log(format!(
            "{step}: can't use the engine {engine}: {error}\n\
             start it with `nats-server -js -a 127.0.0.1`, and check NATS_URL: \
             where it is, and user and password as in \
             nats://user:password@host:4222{ca}"
        ));
        process::exit(1)
    }

    /// Where to listen: host and port, as `HttpServer::bind` takes them. An
    /// IPv6 address may stand in brackets, as in a URL.
    pub fn address(&self) -> (&str, u16) {
        let host = self.host.strip_prefix('[');
        let host = host.and_then(|host| host.strip_suffix(']'));
        (host.unwrap_or(&self.host), self.port)
    }

    /// Ends the process with status 1: says on standard error that the step
    /// can't listen on its address, why, and what to change.
    pub fn cannot_listen(&self, error: io::Error) -> ! {
        let (step, (host, port)) = (self.step, self.address());
        let host = match host.parse::<Ipv6Addr>().is_ok() {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another program has the port, perhaps another step: stop it, \
                 or choose another port with PORT=3001 (PORT=0 takes a free \
                 one)"
            }
            io::ErrorKind::PermissionDenied => {
                "choose a port from 1024 on, for instance with PORT=3000"
            }
            _ => {
                "choose a name or an address of this machine, as with \
                 HOST=127.0.0.1, and check PORT"
            }
        };
        log(format!("{step}: can't listen on {host}:{port}: {error}\n{hint}"));
        process::exit(1)
    }

    /// Ends the process with status 1: says on standard error that the threads
    /// can't be started, why, and what to change.
    pub fn cannot_start_threads(&self, error: io::Error) -> ! {
        let Self { step, threads, .. } = self;
        // Where there is no thread at all, asking for fewer doesn't help.
        let hint = match threads.get() {
            2.. if rehearse().is_ok() => "try fewer, as with THREADS=1, or ",
            _ => "",
        };
        log(format!(
            "{step}: can't start {threads} threads: {error}\n\
             {hint}let this user have more processes and memory (see \
             `ulimit -a`)"
        ));
        process::exit(1)
    }

    /// What the work of the step was set to, as names and values: its
    /// iterations, and those of the optional flags that it takes.
    pub fn list(&self) -> &[(String, String)] {
        &self.list
    }

    /// Prints the one line that says where the step listens, for people and
    /// for programs, and what it was started with.
    ///
    /// Before it does, it makes sure that the server can have what it needs as
    /// soon as it runs. If not, it ends the process with status 1, and says on
    /// standard error what is missing.
    pub fn announce(&self, addresses: &[SocketAddr]) {
        if let Err(error) = rehearse() {
            log(format!(
                "{}: can't serve: {error}\n\
                 let it have more threads and open files (see `ulimit -a`)",
                self.step,
            ));
            process::exit(1)
        }
        let urls: Vec<String> =
            addresses.iter().map(|a| format!("http://{a}")).collect();
        let settings: Vec<String> = self
            .list
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let line = format!(
            "{} listening on {} ({})",
            self.step,
            urls.join(" "),
            settings.join(", "),
        );
        say(line);
    }
}

/// Not println!, which panics when nobody reads standard output.
fn say(line: String) {
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        log(format!("{line}\nstandard output: {error}"));
    }
}

/// Reads the value of a flag or a variable. What isn't UTF-8 is refused as any
/// wrong value is: clap's own message for it doesn't name the setting.
pub fn parsed<T: Clone + Send + Sync + 'static>(
    parse: fn(&str) -> Result<T, String>,
) -> impl TypedValueParser<Value = T> {
    OsStringValueParser::new()
        .try_map(move |text: OsString| parse(&text.to_string_lossy()))
}

/// The names of the flags that only some of the steps have.
fn optional(command: &Command) -> Vec<String> {
    let ids = command.get_arguments().map(|it| it.get_id().to_string());
    ids.filter(|id| !COMMON.contains(&id.as_str())).collect()
}

/// A flag and its value as people read them.
fn value(matches: &ArgMatches, flag: &str) -> (String, String) {
    let unit = if flag.ends_with("timeout") { " s" } else { "" };
    let raw = matches.get_raw(flag).and_then(|mut values| values.next());
    let value = match (flag, raw.map(|raw| raw.to_string_lossy())) {
        ("engine", Some(raw)) => without_secret(&raw),
        ("engine", None) => "none: its own threads".into(),
        (_, Some(raw)) => format!("{}{unit}", raw.replace(['_', '+'], "")),
        (_, None) => "off".into(),
    };
    (flag.replace('_', " "), value)
}

fn host(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(expected("a name or an address of this machine"));
    }
    Ok(text.to_owned())
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

fn queue(text: &str) -> Result<usize, String> {
    let range = format!("a whole number from 1 to {LONGEST_QUEUE}");
    match text.parse() {
        Ok(length @ 1..=LONGEST_QUEUE) => Ok(length),
        _ => Err(expected(range)),
    }
}

fn replicas(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=5) => Ok(number),
        _ => Err(expected("a whole number from 1 to 5")),
    }
}

fn has_secret(url: &String) -> bool {
    without_secret(url) != *url
}

/// A URL, or a list of them, without user, password and token.
fn without_secret(urls: &str) -> String {
    let without = |url: &str| {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let host = rest.rsplit_once('@').map_or(rest, |it| it.1);
        if scheme.is_empty() {
            host.into()
        } else {
            format!("{scheme}://{host}")
        }
    };
    urls.split(',').map(without).collect::<Vec<_>>().join(",")
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
