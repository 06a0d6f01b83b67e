use std::{
    ffi::OsString, io, net::Ipv6Addr, num::NonZeroUsize, process,
    sync::OnceLock, thread, time::Duration,
};

use clap::{
    Arg, ArgMatches, Parser,
    builder::{OsStringValueParser, TypedValueParser},
};
use derive_more::Deref;

use crate::{BrokerUrl, log};

/// The most threads you can ask for: enough to see that more isn't faster, too
/// few to bring the machine down.
const MOST_THREADS: usize = 1024;

/// The most requests that can be admitted: each keeps a connection open.
const LONGEST_QUEUE: usize = 10_000;

/// The longest time-out, in seconds: a day.
const LONGEST_WAIT: u64 = 24 * 60 * 60;

/// No time-out.
const OFF: &str = "off";

/// The settings of every step: flags, environment variables, defaults.
///
/// Later steps add one group each, which derefs to the one before. So
/// `settings.iterations` reads the same in every step, and using a setting that a
/// step doesn't have is a compile error.
#[derive(Clone, Debug, Parser)]
pub struct Settings {
    /// The address or name to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    #[arg(allow_hyphen_values = true, value_parser = parsed(host))]
    pub host: String,

    /// The port to listen on; 0 picks a free one
    #[arg(long, env, default_value = "3000", allow_hyphen_values = true)]
    #[arg(value_parser = parsed(parse_port))]
    pub port: u16,

    /// How far /blocking counts
    #[arg(long, env, default_value = "10_000_000_000")]
    #[arg(allow_hyphen_values = true, value_parser = parsed(iterations))]
    pub iterations: u64,
}

/// For steps that divide their work among threads.
#[derive(Clone, Debug, Deref, Parser)]
pub struct ThreadSettings {
    #[deref]
    #[command(flatten)]
    rest: Settings,

    /// How many threads compute
    #[arg(long, env, default_value_t = default_threads())]
    #[arg(allow_hyphen_values = true, value_parser = parsed(parse_threads))]
    pub threads: NonZeroUsize,
}

/// For steps that refuse requests.
#[derive(Clone, Debug, Deref, Parser)]
pub struct QueueSettings {
    #[deref]
    #[command(flatten)]
    rest: ThreadSettings,

    /// How many requests may be running or queued
    #[arg(long, env, default_value = "8")]
    #[arg(allow_hyphen_values = true, value_parser = parsed(queue))]
    pub queue: usize,
}

/// For steps that stop work.
#[derive(Clone, Debug, Deref, Parser)]
pub struct LimitSettings {
    #[deref]
    #[command(flatten)]
    rest: QueueSettings,

    /// Seconds for a request's work, or off
    #[arg(long, env, default_value = OFF)]
    #[arg(allow_hyphen_values = true, value_parser = parsed(limit_or_off))]
    pub timeout: Duration,

    /// Seconds for a shutdown
    #[arg(long, env, default_value = "30")]
    #[arg(allow_hyphen_values = true, value_parser = parsed(seconds))]
    pub shutdown_timeout: Duration,
}

/// For steps that read request bodies.
#[derive(Clone, Debug, Deref, Parser)]
pub struct UploadSettings {
    #[deref]
    #[command(flatten)]
    rest: LimitSettings,

    /// Seconds to wait for more of a body
    #[arg(long, env, default_value = "10")]
    #[arg(allow_hyphen_values = true, value_parser = parsed(limit))]
    pub body_timeout: Duration,
}

/// What this program is, and how it was started: see [`about`].
#[derive(Debug)]
pub struct About {
    /// The step's name: that of its crate.
    pub step: &'static str,
    /// The step in one sentence: the description of its crate.
    pub idea: &'static str,
    /// How far it counts.
    pub iterations: u64,
    /// How many threads compute: one, if the step has no such setting.
    pub threads: NonZeroUsize,
    /// The settings of its work, for people: "threads 2".
    pub settings: Vec<String>,
}

impl Default for About {
    fn default() -> Self {
        let (step, idea, iterations) = Default::default();
        let threads = NonZeroUsize::MIN;
        Self { step, idea, iterations, threads, settings: Vec::new() }
    }
}

static ABOUT: OnceLock<About> = OnceLock::new();

/// What this program is, and how it was started: read once, like the arguments
/// themselves. Empty until [`settings!`](crate::settings) is called.
pub fn about() -> &'static About {
    ABOUT.get_or_init(About::default)
}

/// Reads the settings of the step that calls it, as the type it expects.
///
/// `--help` or a bad setting ends the process here, with status 0 or 2, as in any
/// command-line program.
#[macro_export]
macro_rules! settings {
    () => {
        $crate::read_settings(
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_DESCRIPTION"),
        )
    };
}

/// Reads the settings of the step called `step`, which `idea` describes in one
/// sentence. [`settings!`](crate::settings) expands to this.
pub fn read_settings<S: Parser>(step: &'static str, idea: &'static str) -> S {
    // Each line fits into 80 columns: clap wraps them only with another crate.
    let mut command = S::command()
        .name(step)
        .about(idea)
        .long_about(None)
        .next_line_help(true)
        .mut_args(|arg| arg.hide_env_values(true));
    let matches = command.get_matches_mut();
    let settings = S::from_arg_matches(&matches)
        .unwrap_or_else(|error| error.format(&mut command).exit());
    let threads = matches.try_get_one("threads").ok().flatten();
    let about = About {
        step,
        idea,
        iterations: matches.get_one("iterations").copied().unwrap_or(0),
        threads: threads.copied().unwrap_or(NonZeroUsize::MIN),
        settings: command
            .get_arguments()
            .filter(|arg| arg.get_env().is_some() && arg.get_id() != "port")
            .map(|arg| describe(arg, &matches))
            .collect(),
    };
    ABOUT.set(about).ok();
    settings
}

/// A setting and its value, for people: "timeout 10 s".
fn describe(arg: &Arg, matches: &ArgMatches) -> String {
    let flag = arg.get_id().as_str();
    let value = match matches.try_get_one::<BrokerUrl>(flag) {
        Ok(None) => "none".into(),
        Ok(Some(url)) => url.address(),
        Err(_) => {
            let raw = matches.get_raw(flag);
            let raw = raw.and_then(|mut values| values.next());
            raw.unwrap_or_default().to_string_lossy().replace(['_', '+'], "")
        }
    };
    let unit =
        if flag.ends_with("timeout") && value != OFF { " s" } else { "" };
    format!("{} {value}{unit}", flag.replace('_', " "))
}

impl Settings {
    /// Where to listen: host and port, as `HttpServer::bind` takes them. An
    /// IPv6 address may have brackets, as in a URL.
    pub fn address(&self) -> (&str, u16) {
        let host = self.host.strip_prefix('[');
        let host = host.and_then(|host| host.strip_suffix(']'));
        (host.unwrap_or(&self.host), self.port)
    }

    /// Ends the process with status 1, and prints on standard error that the step
    /// can't listen on its address, why, and what to change.
    pub fn cannot_listen(&self, error: io::Error) -> ! {
        let (step, (host, port)) = (about().step, self.address());
        let is_ipv6 = host.parse::<Ipv6Addr>().is_ok();
        let host = if is_ipv6 { format!("[{host}]") } else { host.into() };
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another program is using the port, perhaps another step: stop \
                 it, or choose another port with PORT=3001 (PORT=0 picks a free \
                 one)"
            }
            io::ErrorKind::PermissionDenied => {
                "choose a port from 1024 on, for instance with PORT=3000"
            }
            _ => {
                "choose one of this machine's names or addresses, for instance \
                 --host 127.0.0.1, and check PORT"
            }
        };
        log(format!("{step}: can't listen on {host}:{port}: {error}\n{hint}"));
        process::exit(1)
    }
}

impl ThreadSettings {
    /// Ends the process with status 1, and prints on standard error that the
    /// threads can't be started, why, and what to change.
    pub fn cannot_start_threads(&self, error: io::Error) -> ! {
        let (step, threads) = (about().step, self.threads);
        log(format!(
            "{step}: can't start {threads} threads: {error}\n\
             try fewer, for instance with THREADS=1, or allow this user more \
             processes and memory (see `ulimit -a`)"
        ));
        process::exit(1)
    }
}

/// Reads the value of a flag or a variable. A value that isn't UTF-8 is rejected
/// like any other bad value, because clap's own message doesn't name the setting.
pub fn parsed<T: Clone + Send + Sync + 'static>(
    parse: fn(&str) -> Result<T, String>,
) -> impl TypedValueParser<Value = T> {
    OsStringValueParser::new()
        .try_map(move |text: OsString| parse(&text.to_string_lossy()))
}

fn host(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("expected one of this machine's names or addresses".into());
    }
    Ok(text.to_owned())
}

/// Reads a port; 0 means any free one.
///
/// # Errors
/// Describe what is expected.
pub fn parse_port(text: &str) -> Result<u16, String> {
    let expected = "expected a whole number from 0 to 65535; 0 picks a free \
                    port";
    text.parse().map_err(|_| expected.into())
}

fn iterations(text: &str) -> Result<u64, String> {
    whole_number(&text.replace('_', ""), "", 0, u64::MAX)
}

/// Reads a number of threads: at least one.
///
/// # Errors
/// Describe what is expected.
pub fn parse_threads(text: &str) -> Result<NonZeroUsize, String> {
    let number = whole_number(text, "", 1, MOST_THREADS as u64)?;
    NonZeroUsize::new(number as usize).ok_or_else(String::new)
}

fn queue(text: &str) -> Result<usize, String> {
    whole_number(text, "", 1, LONGEST_QUEUE as u64)
        .map(|number| number as usize)
}

fn seconds(text: &str) -> Result<Duration, String> {
    whole_number(text, " of seconds", 0, LONGEST_WAIT).map(Duration::from_secs)
}

fn limit(text: &str) -> Result<Duration, String> {
    whole_number(text, " of seconds", 1, LONGEST_WAIT).map(Duration::from_secs)
}

fn limit_or_off(text: &str) -> Result<Duration, String> {
    if text == OFF {
        return Ok(Duration::MAX);
    }
    limit(text).map_err(|expected| format!("{expected}, or {OFF}"))
}

fn whole_number(
    text: &str,
    unit: &str,
    min: u64,
    max: u64,
) -> Result<u64, String> {
    match text.parse() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(format!("expected a whole number{unit} from {min} to {max}")),
    }
}

/// Four, or fewer if this process can't use that many cores.
pub fn default_threads() -> NonZeroUsize {
    const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();
    thread::available_parallelism().map_or(FOUR, |cores| cores.min(FOUR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BrokerSettings;

    #[test]
    fn a_bad_value_is_named_with_what_is_expected() {
        let numbers = "|-1|four|1_0|1.5|2 threads";
        let seconds = "|-1|86401|soon|1.5|5s|inf";
        for (flag, values, expected) in [
            ("host", "|\u{fffd}", "one of this machine's names or addresses"),
            (
                "port",
                "|-1|65536|http|3_000|3000 |3000.5|0x10|99999999999999999999",
                "a whole number from 0 to 65535; 0 picks a free port",
            ),
            (
                "iterations",
                "|-1|_|ten|1e10|1.5|10 billion|18446744073709551616|\u{fffd}",
                "a whole number from 0 to 18446744073709551615",
            ),
            ("threads", numbers, "a whole number from 1 to 1024"),
            ("threads", "0|1025", "a whole number from 1 to 1024"),
            ("queue", numbers, "a whole number from 1 to 10000"),
            ("queue", "0|10001", "a whole number from 1 to 10000"),
            ("timeout", seconds, "of seconds from 1 to 86400, or off"),
            ("shutdown-timeout", seconds, "of seconds from 0 to 86400"),
            ("body-timeout", seconds, "of seconds from 1 to 86400"),
            ("nats-url", "", "such as nats://127.0.0.1:4222"),
        ] {
            for value in values.split('|') {
                let flag = format!("--{flag}");
                let error = BrokerSettings::try_parse_from(["", &flag, value]);
                let message = error.unwrap_err().to_string();
                for part in [&flag, &format!("'{value}'"), expected] {
                    assert!(message.contains(part), "no {part} in: {message}");
                }
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf_8_is_named_like_any_other() {
        use std::os::unix::ffi::OsStringExt;

        let port = OsString::from_vec(b"--port=\xff".into());
        let error = Settings::try_parse_from(["step".into(), port]);
        let message = error.unwrap_err().to_string();
        assert!(message.contains("'\u{fffd}' for '--port"), "{message}");
    }
}
