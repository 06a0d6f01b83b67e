//! One server of the stage.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use harness::Server;
use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    task::{AbortHandle, spawn_blocking},
    time::sleep,
};

use super::{
    log::{Log, MOST},
    threads::Threads,
    web::What,
};
use crate::{
    format::{failure, last_line},
    measure::{
        Failure,
        probe::{Target, Unsuccessful, probe, schedule},
        programs::{self, Programs},
    },
    options::{Options, Source, Subject},
};

const PROBE: &str = "/non-blocking";

/// How many requests there are in a burst.
const BURST: usize = 100;

/// How long a core counts for one request of a burst: the whole burst takes
/// less than ten seconds, even with one thread on a busy machine.
pub const IN_BURST: Duration = Duration::from_millis(50);

/// Node.js takes up to this many times as long to count as far.
const NODE_TAKES: u64 = 8;

/// There it costs more than the count to start a thread for each request.
const BURST_IN_NODE: usize = 50;

/// How often a server's process and its threads are checked.
const LOOK: Duration = Duration::from_millis(200);

/// A server, and the requests sent to it.
pub struct Lane {
    number: usize,
    subject: Subject,
    log: Arc<Log>,
    patience: Duration,
    /// How far a request counts, and how far a request of a burst.
    counts: (u64, u64),
    burst: usize,
    next: AtomicU64,
    landed: Notify,
    again: Notify,
    state: Mutex<State>,
}

struct State {
    /// How far the current server counts, or the one being started.
    count: u64,
    is_starting: bool,
    /// Whether the last probe has no response.
    is_missing: bool,
    server: Option<Server>,
    target: Option<Arc<Target>>,
    flying: BTreeMap<u64, Flying>,
    /// The work of cancelled requests that the server may still be doing, in
    /// requests.
    left: f64,
    /// What to do as soon as the server listens.
    then: Option<What>,
}

struct Flying {
    path: &'static str,
    sent: Instant,
    task: AbortHandle,
}

impl Lane {
    /// `in_burst` is how far a step counts in [`IN_BURST`].
    pub fn new(
        (number, subject): (usize, &Subject),
        log: &Arc<Log>,
        options: &Options,
        in_burst: u64,
    ) -> Self {
        let count = options.iterations;
        let (in_burst, burst) = match subject.source {
            Source::Node => (in_burst / NODE_TAKES, BURST_IN_NODE),
            _ => (in_burst, BURST),
        };
        Self {
            number,
            subject: subject.clone(),
            log: log.clone(),
            patience: options.patience(),
            counts: (count, in_burst.clamp(1, count)),
            burst,
            next: AtomicU64::new(0),
            landed: Notify::new(),
            again: Notify::new(),
            state: Mutex::new(State {
                count,
                is_starting: !matches!(subject.source, Source::Url(_)),
                is_missing: false,
                server: None,
                target: None,
                flying: BTreeMap::new(),
                left: 0.0,
                then: None,
            }),
        }
    }

    /// Starts the server, unless it runs already, and probes it. When it ends,
    /// the page shows that, and a restart brings it back.
    pub async fn run(
        self: Arc<Self>,
        programs: Arc<Programs>,
        threads: usize,
        interval: Duration,
    ) {
        loop {
            let outcome = tokio::select! {
                biased;
                () = self.again.notified() => None,
                outcome = self.serve(&programs, threads, interval) => {
                    Some(outcome)
                }
            };
            // The next one doesn't wait for its end.
            let server = self.state().server.take();
            spawn_blocking(|| drop(server));
            let Some(outcome) = outcome else { continue };
            if let Err(error) = outcome {
                self.say("ended", error.to_string().trim());
            }
            {
                let mut state = self.state();
                state.target = None;
                state.is_starting = false;
            }
            self.cancel();
            self.again.notified().await;
        }
    }

    async fn serve(
        self: &Arc<Self>,
        programs: &Programs,
        threads: usize,
        interval: Duration,
    ) -> Result<(), Failure> {
        let Subject { name, source } = &self.subject;
        if let Source::Url(url) = source {
            return self.peer(url, interval).await;
        }
        let count = self.state().count;
        let server = programs::start(programs, name, count, threads).await?;
        self.program(server, count, interval).await
    }

    async fn peer(
        self: &Arc<Self>,
        url: &str,
        interval: Duration,
    ) -> Result<(), Failure> {
        let about = json!({ "idea": url, "is_peer": true });
        self.log.about(self.number, about);
        let target = loop {
            match Target::find(url, self.patience, None).await {
                Ok(target) => break Arc::new(target),
                Err(error) => self.say("no answer", &error.to_string()),
            }
            sleep(Duration::from_secs(2)).await;
        };
        self.probe_on(target, interval).await;
        Ok(())
    }

    async fn program(
        self: &Arc<Self>,
        server: Server,
        count: u64,
        interval: Duration,
    ) -> Result<(), Failure> {
        let (id, url) = (server.id(), server.url().to_owned());
        self.state().server = Some(server);
        let target = Target::find(&url, self.patience, None).await?;
        let target = Arc::new(target);
        let idea = match self.subject.source {
            Source::Step => {
                let about = target.get("/page.json").await?;
                serde_json::from_str::<Value>(&about)?["idea"].take()
            }
            Source::Example => "step 1, with two server threads".into(),
            _ => "in Node.js".into(),
        };
        let for_burst = (count != self.counts.0).then_some(count.to_string());
        let about = json!({ "idea": idea, "for_burst": for_burst });
        self.log.about(self.number, about);
        let has_ended = || {
            let server = &mut self.state().server;
            server.as_mut().is_none_or(Server::has_ended)
        };
        let lives = async {
            let mut threads = Threads::new(id);
            while !has_ended() {
                if let Some(now) = threads.look() {
                    self.log.threads(self.number, now);
                }
                sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = lives => (),
            () = self.probe_on(target, interval) => (),
        }
        let server = self.state().server.take().ok_or("it was killed")?;
        let ended = spawn_blocking(|| server.kill()).await?;
        let said = last_line(&ended.stderr).unwrap_or("it printed nothing");
        Err(format!("{}; {said}", ended.status).into())
    }

    /// Reports when a server that the stage hasn't started goes away and comes
    /// back.
    fn watch(&self, missing: Option<String>) {
        // It is held until that is said: the last word is the right one.
        let mut state = self.state();
        if state.is_missing != missing.is_some() {
            state.is_missing = missing.is_some();
            let word = if state.is_missing { "no answer" } else { "runs" };
            self.say(word, &missing.unwrap_or_default());
        }
    }

    /// Probes on compare's schedule, until this is dropped.
    async fn probe_on(
        self: &Arc<Self>,
        target: Arc<Target>,
        interval: Duration,
    ) {
        let then = {
            let mut state = self.state();
            state.target = Some(target.clone());
            state.is_starting = false;
            state.then.take()
        };
        self.say("runs", "");
        self.landed.notify_waiters();
        then.into_iter().for_each(|what| self.obey(what));
        let mut moments = schedule(interval);
        while let Some(intended) = moments.recv().await {
            let probe = probe(intended, target.clone());
            let answer = async { probe.await.latency.map(drop) };
            self.fly(PROBE, intended, answer);
        }
    }

    fn say(&self, state: &str, text: &str) {
        let text = crate::format::sanitized(text, 200);
        self.log.about(self.number, json!({ "state": state, "text": text }));
    }

    /// Does what a button is for. A server that has ended gets nothing; a
    /// server that is starting gets it as soon as it listens.
    pub fn obey(self: &Arc<Self>, what: What) {
        let (whole, in_burst) = self.counts;
        let (is_whole, is_in_burst, is_idle) = {
            let mut state = self.state();
            let is_sent = !matches!(what, What::Cancel | What::Restart);
            if state.is_starting && is_sent && self.is_ours() {
                state.then = Some(what);
            }
            let State { count, .. } = *state;
            (count == whole, count == in_burst, state.requests() == 0)
        };
        match what {
            What::Cancel => self.cancel(),
            What::Restart => self.restart(whole, None),
            What::Burst if !self.is_ours() => (),
            What::Burst if !is_in_burst => self.restart(in_burst, Some(what)),
            What::Burst => self.send("/blocking", self.burst),
            _ if !is_whole && is_idle => self.restart(whole, Some(what)),
            What::Blocking => self.send("/blocking", 1),
            What::Waiting => self.send("/waiting", 1),
            What::Failing => self.send("/failing", 1),
        }
    }

    fn is_ours(&self) -> bool {
        !matches!(self.subject.source, Source::Url(_))
    }

    /// Kills the server, whatever it is doing. This doesn't wait for its end:
    /// each of many ends sooner when all of them are killed first.
    pub fn kill(&self) {
        if let Some(server) = &mut self.state().server {
            server.kill_soon();
        }
    }

    /// Kills the server and waits for its end.
    pub fn end(&self) {
        let server = self.state().server.take();
        drop(server);
    }

    /// Kills the server and starts it again.
    fn restart(&self, count: u64, then: Option<What>) {
        if !self.is_ours() {
            return;
        }
        {
            let mut state = self.state();
            state.target = None;
            state.is_starting = true;
            (state.count, state.then) = (count, then);
        }
        self.kill();
        self.cancel();
        self.state().left = 0.0;
        self.say("starting", "");
        self.again.notify_one();
    }

    fn send(self: &Arc<Self>, path: &'static str, count: usize) {
        let target = {
            let state = self.state();
            let has_room = state.requests() as f64 + state.left < MOST as f64;
            state.target.clone().filter(|_| has_room)
        };
        let Some(target) = target else { return };
        // All at the same moment: that tells what belongs together.
        let now = Instant::now();
        for _ in 0..count {
            let target = target.clone();
            let answer = async move { target.get(path).await.map(drop) };
            self.fly(path, now, answer);
        }
    }

    /// Gives up every request in flight; probes only if the server is gone.
    fn cancel(&self) {
        let mut cancelled = Vec::new();
        {
            let mut state = self.state();
            let is_there = state.target.is_some();
            let share = state.count as f64 / self.counts.0 as f64;
            let mut left = 0.0;
            state.flying.retain(|id, it| {
                let stays = it.path == PROBE && is_there;
                if !stays {
                    it.task.abort();
                    cancelled.push((*id, it.path, it.sent));
                    left += if it.path == "/blocking" { share } else { 0.0 };
                }
                stays
            });
            state.left += left;
        }
        for (id, path, sent) in cancelled {
            self.log.answered(self.number, id, path, sent, "cancelled");
        }
        self.landed.notify_waiters();
    }

    /// Waits until nothing but probes is in flight, or will be soon.
    pub async fn idle(&self) {
        loop {
            let landed = self.landed.notified();
            let is_idle = {
                let state = self.state();
                state.requests() == 0 && !state.is_starting
            };
            if is_idle {
                return;
            }
            landed.await;
        }
    }

    fn fly(
        self: &Arc<Self>,
        path: &'static str,
        sent: Instant,
        answer: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.log.sent(self.number, id, path, sent);
        let lane = self.clone();
        // It can't land before it is known.
        let mut state = self.state();
        let task = tokio::spawn(async move { lane.land(id, answer.await) });
        let task = task.abort_handle();
        state.flying.insert(id, Flying { path, sent, task });
    }

    fn land(&self, id: u64, answer: Result<(), Failure>) {
        let Some(Flying { path, sent, .. }) = self.state().flying.remove(&id)
        else {
            return;
        };
        if path == PROBE && !self.is_ours() {
            self.watch(answer.as_ref().err().map(failure));
        }
        let outcome = match &answer {
            Ok(_) => "ok",
            Err(error) => error
                .downcast_ref::<Unsuccessful>()
                .map_or("failed", |it| it.status.as_str()),
        };
        if path == "/blocking" && outcome == "ok" {
            // The server has finished the work before it, or nearly so.
            self.state().left = 0.0;
        }
        self.log.answered(self.number, id, path, sent, outcome);
        self.landed.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn requests(&self) -> usize {
        self.flying.values().filter(|it| it.path != PROBE).count()
    }
}
