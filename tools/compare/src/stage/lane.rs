//! One server of the stage.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use harness::Server;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc::UnboundedReceiver, oneshot},
    task::spawn_blocking,
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    log::{Log, MOST},
    threads::Threads,
    web::What,
};
use crate::{
    format::{failure, last_line, sanitized},
    measure::{
        Failure,
        probe::{Target, probe, schedule},
        programs::{self, Programs},
    },
    options::{Options, Source, Subject},
};

/// How many requests there are in a burst.
const BURST: usize = 100;

/// How far each of them counts, at most: the whole burst takes about as long as
/// one request to /blocking.
const IN_BURST: u64 = 100_000_000;

/// Node.js takes up to this many times as long to count as far.
const NODE_TAKES: u64 = 8;

/// There it costs more than the count to start a thread for each request.
const BURST_IN_NODE: usize = 50;

/// How often a server's process and its threads are checked.
const LOOK: Duration = Duration::from_millis(200);

/// What to do; and if it's this lane's turn, a sender that the lane drops as
/// soon as it has nothing left to do.
pub type Order = (What, Option<oneshot::Sender<()>>);

type Flights<T> = FuturesUnordered<LocalBoxFuture<'static, T>>;

type Answer = Result<(), Failure>;

/// A server, and the requests sent to it.
pub struct Lane<'a> {
    number: usize,
    subject: &'a Subject,
    options: &'a Options,
    programs: &'a Programs,
    log: Arc<Log>,
    /// Nothing while it starts, or if it runs elsewhere.
    server: Option<Server>,
    /// In flight.
    probes: Flights<Answer>,
    requests: Flights<(&'static str, Answer)>,
    /// How many of them are to /blocking.
    counting: usize,
    /// The work of cancelled requests that the server may still be doing, in
    /// requests.
    left: f64,
}

impl<'a> Lane<'a> {
    pub fn new(
        (number, subject): (usize, &'a Subject),
        options: &'a Options,
        programs: &'a Programs,
        log: &Arc<Log>,
    ) -> Self {
        Self {
            number,
            subject,
            options,
            programs,
            log: log.clone(),
            server: None,
            probes: Flights::new(),
            requests: Flights::new(),
            counting: 0,
            left: 0.0,
        }
    }

    /// Starts the server, unless it runs already, and probes it. When it ends,
    /// the page shows that, and a restart brings it back. Dropping this kills
    /// the server.
    pub async fn run(mut self, mut orders: UnboundedReceiver<Order>) {
        let mut start = (self.usual_count(), None);
        loop {
            let outcome = self.serve(start, &mut orders).await;
            self.probes.clear();
            self.requests.clear();
            (self.counting, self.left) = (0, 0.0);
            // The next one doesn't wait for its end.
            let server = self.server.take();
            spawn_blocking(|| drop(server));
            start = match outcome {
                Ok(start) => start,
                Err(error) => {
                    self.say("ended", error.to_string().trim());
                    while let Some((what, _)) = orders.recv().await {
                        if what == What::Restart {
                            break;
                        }
                    }
                    (self.usual_count(), None)
                }
            };
            self.say("starting", "");
        }
    }

    /// Starts a server that counts this far and does that first. Returns the
    /// same for the next server, when another one is needed.
    ///
    /// # Errors
    /// When the server doesn't start, or ends by itself.
    async fn serve(
        &mut self,
        (count, mut next): (u64, Option<Order>),
        orders: &mut UnboundedReceiver<Order>,
    ) -> Result<(u64, Option<Order>), Failure> {
        let (server, target) = {
            let reached = self.reach(count);
            tokio::pin!(reached);
            loop {
                tokio::select! {
                    reached = &mut reached => break reached?,
                    Some(order) = orders.recv() => match order.0 {
                        _ if !self.is_ours() => (),
                        What::Restart => return Ok((self.usual_count(), None)),
                        What::Cancel => next = None,
                        _ => next = Some(order),
                    }
                }
            }
        };
        self.say("runs", "");
        let mut threads = server.as_ref().map(|it| Threads::new(it.id()));
        self.server = server;
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut moments = schedule(self.options.interval());
        let mut turn = None;
        let mut is_missing = false;
        loop {
            if let Some((what, its_turn)) = next {
                let needed = self.count_for(what, count);
                if self.is_ours() && what == What::Restart {
                    return Ok((needed, None));
                }
                if self.is_ours() && needed != count {
                    return Ok((needed, Some((what, its_turn))));
                }
                self.obey(what, count, &target);
                turn = its_turn.or(turn);
            }
            if self.requests.is_empty() {
                turn = None;
            }
            next = None;
            tokio::select! {
                order = orders.recv() => next = order,
                Some(intended) = moments.recv() => {
                    let probe = probe(intended, target.clone());
                    let answer = async { probe.await.latency.map(drop) };
                    let flight =
                        self.log.sent(self.number, "/non-blocking", intended);
                    self.probes.push(Box::pin(flight.land(answer)));
                }
                Some((path, answer)) = self.requests.next() => {
                    if path == "/blocking" {
                        self.counting -= 1;
                        // The work before it is done, too, or nearly so.
                        self.left = answer.map_or(self.left, |()| 0.0);
                    }
                }
                Some(answer) = self.probes.next() => {
                    // One that runs elsewhere may go away and come back.
                    if !self.is_ours() && answer.is_err() != is_missing {
                        is_missing = answer.is_err();
                        let state = if is_missing { "no answer" } else { "runs" };
                        let why = answer.err().map(failure).unwrap_or_default();
                        self.say(state, &why);
                    }
                }
                _ = looks.tick() => {
                    let shares = threads.as_mut().and_then(Threads::look);
                    if let Some(shares) = shares {
                        self.log.threads(self.number, shares);
                    }
                    if let Some(server) = self.server.take_if(Server::has_ended)
                    {
                        let ended = spawn_blocking(|| server.kill()).await?;
                        let said = last_line(&ended.stderr);
                        let said = said.unwrap_or("it printed nothing");
                        return Err(format!("{}; {said}", ended.status).into());
                    }
                }
            }
        }
    }

    /// Starts the server, or waits for one that runs elsewhere.
    async fn reach(
        &self,
        count: u64,
    ) -> Result<(Option<Server>, Arc<Target>), Failure> {
        let Self { subject, options, programs, .. } = *self;
        let threads = options.threads;
        let (server, target) = loop {
            match programs::reach(subject, count, threads, options, programs)
                .await
            {
                Ok(reached) => break reached,
                Err(error) if self.is_ours() => return Err(error),
                Err(error) => self.say("no answer", &error.to_string()),
            }
            sleep(Duration::from_secs(2)).await;
        };
        let idea = match &subject.source {
            _ if count != self.usual_count() => {
                let millions = count as f64 / 1e6;
                format!("for the burst, /blocking counts to {millions} million")
                    .into()
            }
            Source::Step => {
                let page = target.get("/page.json").await?;
                serde_json::from_str::<Value>(&page)?["idea"].take()
            }
            Source::Example => "step 1, with two server threads".into(),
            Source::Node => "in Node.js".into(),
            Source::Url(url) => url.as_str().into(),
        };
        self.log.about(self.number, json!({ "idea": idea }));
        Ok((server, Arc::new(target)))
    }

    /// How far the server has to count for this, if it counts this far now.
    fn count_for(&self, what: What, now: u64) -> u64 {
        match what {
            What::Cancel => now,
            What::Burst if self.subject.source == Source::Node => {
                self.usual_count().min(IN_BURST / NODE_TAKES)
            }
            What::Burst => self.usual_count().min(IN_BURST),
            What::Restart => self.usual_count(),
            // One that is sent during a burst belongs to it.
            _ if !self.requests.is_empty() => now,
            _ => self.usual_count(),
        }
    }

    fn usual_count(&self) -> u64 {
        self.options.iterations
    }

    /// The server counts this far now.
    fn obey(&mut self, what: What, now: u64, target: &Arc<Target>) {
        let (path, count) = match (what, &self.subject.source) {
            (What::Blocking, _) => ("/blocking", 1),
            (What::Waiting, _) => ("/waiting", 1),
            (What::Failing, _) => ("/failing", 1),
            (What::Cancel, _) => {
                let share = now as f64 / self.usual_count() as f64;
                self.left += self.counting as f64 * share;
                self.counting = 0;
                return self.requests.clear();
            }
            (What::Restart, _) | (What::Burst, Source::Url(_)) => return,
            (What::Burst, Source::Node) => ("/blocking", BURST_IN_NODE),
            (What::Burst, _) => ("/blocking", BURST),
        };
        if self.requests.len() as f64 + self.left >= MOST as f64 {
            return;
        }
        if path == "/blocking" {
            self.counting += count;
        }
        // All at the same moment: that tells what belongs together.
        let sent = Instant::now();
        for _ in 0..count {
            let target = target.clone();
            let answer = async move { target.get(path).await.map(drop) };
            let flight = self.log.sent(self.number, path, sent);
            let answer = async move { (path, flight.land(answer).await) };
            self.requests.push(Box::pin(answer));
        }
    }

    fn is_ours(&self) -> bool {
        !matches!(self.subject.source, Source::Url(_))
    }

    fn say(&self, state: &str, text: &str) {
        let text = sanitized(text, 200);
        self.log.about(self.number, json!({ "state": state, "text": text }));
    }
}
