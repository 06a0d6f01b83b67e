use std::{
    fmt::{self, Debug, Display, Formatter},
    process,
};

use clap::{Parser, ValueEnum};
use derive_more::Deref;
use percent_encoding::percent_decode_str;

use crate::{UploadSettings, about, log, parsed, serve::print_start};

/// For steps whose work goes to other processes.
#[derive(Clone, Debug, Deref, Parser)]
pub struct BrokerSettings {
    #[deref]
    #[command(flatten)]
    rest: UploadSettings,

    /// The broker that hands work to worker processes instead of threads,
    /// such as nats://127.0.0.1:4222
    #[arg(long, env, value_parser = parsed(nats_url), verbatim_doc_comment)]
    pub nats_url: Option<BrokerUrl>,

    /// work: run as a worker process instead of a server
    #[arg(requires = "nats_url", hide_possible_values = true)]
    pub role: Option<Role>,
}

/// What a process does instead of serving.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Role {
    /// Do the servers' work
    Work,
}

/// Where a broker is, perhaps with a login. Its `Debug` shows only the address.
#[derive(Clone)]
pub struct BrokerUrl(String);

impl BrokerUrl {
    /// The URL without the login.
    pub fn address(&self) -> String {
        format!("{}{}", self.parts().0, self.parts().2)
    }

    /// User and password, or a token alone.
    pub fn login(&self) -> (Option<String>, Option<String>) {
        let decode = |part| percent_decode_str(part).decode_utf8_lossy().into();
        let Some(login) = self.parts().1 else { return (None, None) };
        match login.split_once(':') {
            Some((user, password)) => {
                (Some(decode(user)), Some(decode(password)))
            }
            None => (Some(decode(login)), None),
        }
    }

    fn parts(&self) -> (&str, Option<&str>, &str) {
        let host = self.0.find("://").map_or(0, |at| at + "://".len());
        let (scheme, rest) = self.0.split_at(host);
        match rest.rsplit_once('@') {
            Some((login, rest)) => (scheme, Some(login), rest),
            None => (scheme, None, rest),
        }
    }
}

impl Debug for BrokerUrl {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address())
    }
}

impl BrokerSettings {
    /// Prints one line: that a worker process is ready, and its settings.
    pub fn announce_worker(&self) {
        print_start(&format!("working as process {}", process::id()));
    }

    /// Ends the process with status 1, and prints on standard error that the
    /// broker can't be used, why, and what to change.
    pub fn cannot_use_broker(&self, error: impl Display) -> ! {
        let step = about().step;
        let url = self.nats_url.as_ref().map(BrokerUrl::address);
        let url = url.unwrap_or_default();
        log(format!(
            "{step}: can't use the broker {url}: {error}\n\
             start it with `nats-server -js -a 127.0.0.1`, and check NATS_URL, \
             with the user and password if it needs them: \
             nats://user:password@host:4222"
        ));
        process::exit(1)
    }
}

fn nats_url(text: &str) -> Result<BrokerUrl, String> {
    if text.is_empty() {
        return Err("expected an address such as nats://127.0.0.1:4222".into());
    }
    Ok(BrokerUrl(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brokers_password_is_never_shown() {
        let url = "nats://user:secret@broker:4222";
        let settings = BrokerSettings::parse_from(["step", "--nats-url", url]);
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
