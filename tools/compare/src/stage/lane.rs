//! One server of the stage.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use harness::Server;
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    task::{AbortHandle, spawn_blocking},
    time::sleep,
};

use super::{log::Log, threads::Threads, web::What};
use crate::{
    format::{failure, last_line},
    measure::{
        Failure,
        probe::{Target, Unsuccessful, connections, probe, schedule},
        programs::{self, Programs},
    },
    plan::{Source, Subject},
    results::Settings,
};

const PROBE: &str = "/non-blocking";

/// How many requests a burst is.
const BURST: usize = 100;

/// How many requests of the buttons a lane may have: a key that is held down
/// doesn't use up the file descriptors.
const MOST: usize = 500;

/// How often it is looked whether a step lives, and which threads run.
const LOOK: Duration = Duration::from_millis(200);

/// A server, and what was sent to it.
pub struct Lane {
    number: usize,
    log: Arc<Log>,
    patience: Duration,
    target: OnceLock<Arc<Target>>,
    next: AtomicU64,
    flying: Mutex<BTreeMap<u64, Flying>>,
    landed: Notify,
    missing: Mutex<Option<String>>,
}

struct Flying {
    path: &'static str,
    sent: Instant,
    task: Option<AbortHandle>,
}

impl Lane {
    pub fn new(number: usize, log: Arc<Log>, patience: Duration) -> Self {
        Self {
            number,
            log,
            patience,
            target: OnceLock::new(),
            next: AtomicU64::new(0),
            flying: Mutex::default(),
            landed: Notify::new(),
            missing: Mutex::default(),
        }
    }

    /// Starts the server, unless it runs already, and probes it. When it ends,
    /// the page says so.
    pub async fn run(
        self: Arc<Self>,
        Subject { name, source }: Subject,
        programs: Arc<Programs>,
        Settings { iterations, threads, .. }: Settings,
        interval: Duration,
    ) {
        let outcome = if let Source::Url(url) = &source {
            self.peer(url, interval).await
        } else {
            match programs::start(&programs, &name, iterations, threads).await {
                Ok(server) => self.program(server, source, interval).await,
                Err(error) => Err(error),
            }
        };
        if let Err(error) = outcome {
            let text = error.to_string();
            self.say("ended", text.trim());
        }
        self.cancel();
    }

    async fn peer(
        self: &Arc<Self>,
        url: &str,
        interval: Duration,
    ) -> Result<(), Failure> {
        self.log.about(self.number, json!({ "idea": url }));
        let target = loop {
            match Target::find(url, self.patience, None).await {
                Ok(target) => break Arc::new(target),
                Err(error) => self.say("away", &error.to_string()),
            }
            sleep(Duration::from_secs(2)).await;
        };
        tokio::select! {
            () = self.watch() => (),
            () = self.probe_on(target, interval) => (),
        }
        Ok(())
    }

    async fn program(
        self: &Arc<Self>,
        mut server: Server,
        source: Source,
        interval: Duration,
    ) -> Result<(), Failure> {
        let found = Target::find(server.url(), self.patience, None).await?;
        let target = Arc::new(found);
        let about = match source {
            Source::Step => {
                let about = target.get("/page.json").await?;
                let about: Value = serde_json::from_str(&about)?;
                json!({ "idea": about["idea"], "routes": about["routes"] })
            }
            Source::Example => json!({ "idea": "step 1, with two workers" }),
            _ => json!({ "idea": "in Node.js" }),
        };
        self.log.about(self.number, about);
        let id = server.id();
        let lives = async {
            let mut threads = Threads::new(id);
            while !server.has_ended() {
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
        let ended = spawn_blocking(|| server.kill()).await?;
        let said = last_line(&ended.stderr).unwrap_or("it said nothing");
        Err(format!("{}; {said}", ended.status).into())
    }

    /// Says when a server that can't be looked at goes away and comes back,
    /// by its answers.
    async fn watch(&self) {
        let mut was = None;
        loop {
            let is = self.missing().clone();
            if is != was {
                match &is {
                    Some(text) => self.say("away", text),
                    None => self.say("runs", ""),
                }
                was = is;
            }
            sleep(LOOK).await;
        }
    }

    /// Probes on compare's schedule, for ever.
    async fn probe_on(
        self: &Arc<Self>,
        target: Arc<Target>,
        interval: Duration,
    ) {
        let target = self.target.get_or_init(|| target);
        self.say("runs", "");
        let mut moments = schedule(interval);
        let connections = connections();
        while let Some(intended) = moments.recv().await {
            let id = self.take_off(PROBE, intended);
            let probe = probe(intended, target.clone(), connections.clone());
            let lane = self.clone();
            let task = tokio::spawn(async move {
                let answer = probe.await.latency.map(|_| String::new());
                *lane.missing() = answer.as_ref().err().map(failure);
                lane.land(id, answer);
            });
            self.hold(id, task.abort_handle());
        }
    }

    fn say(&self, state: &str, text: &str) {
        let text = crate::format::sanitized(text, 200);
        self.log.about(self.number, json!({ "state": state, "text": text }));
    }

    /// Does what a button asks for. A server that isn't there gets nothing.
    pub fn obey(self: &Arc<Self>, what: What) {
        match what {
            What::Blocking => self.send("/blocking", 1),
            What::Waiting => self.send("/waiting", 1),
            What::Failing => self.send("/failing", 1),
            What::Burst => self.send("/blocking", BURST),
            What::Cancel => self.cancel(),
        }
    }

    fn send(self: &Arc<Self>, path: &'static str, count: usize) {
        let Some(target) = self.target.get() else { return };
        for _ in 0..count.min(MOST.saturating_sub(self.requests())) {
            let id = self.take_off(path, Instant::now());
            let (lane, target) = (self.clone(), target.clone());
            let task = tokio::spawn(async move {
                let answer = target.get(path).await;
                lane.land(id, answer);
            });
            self.hold(id, task.abort_handle());
        }
    }

    /// Goes away from all that isn't answered, probes excepted.
    fn cancel(&self) {
        let mut cancelled = Vec::new();
        self.flying().retain(|id, it| {
            let stays = it.path == PROBE && self.target.get().is_some();
            if !stays {
                it.task.take().inspect(AbortHandle::abort);
                cancelled.push((*id, it.path, it.sent));
            }
            stays
        });
        for (id, path, sent) in cancelled {
            self.log.answered(self.number, id, path, sent, "cancelled", "");
        }
        self.landed.notify_waiters();
    }

    /// Waits until nothing but probes is in flight.
    pub async fn idle(&self) {
        loop {
            let landed = self.landed.notified();
            if self.requests() == 0 {
                return;
            }
            landed.await;
        }
    }

    fn requests(&self) -> usize {
        self.flying().values().filter(|it| it.path != PROBE).count()
    }

    fn take_off(&self, path: &'static str, sent: Instant) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.flying().insert(id, Flying { path, sent, task: None });
        self.log.sent(self.number, id, path, sent);
        id
    }

    fn hold(&self, id: u64, task: AbortHandle) {
        if let Some(flying) = self.flying().get_mut(&id) {
            flying.task = Some(task);
        }
    }

    fn land(&self, id: u64, answer: Result<String, Failure>) {
        let Some(Flying { path, sent, .. }) = self.flying().remove(&id) else {
            return;
        };
        let (outcome, text) = match answer {
            Ok(body) => ("ok", body),
            Err(error) => {
                let status = error.downcast_ref::<Unsuccessful>();
                let is_refused = status.is_some_and(|it| {
                    it.status == StatusCode::SERVICE_UNAVAILABLE
                });
                let outcome = if is_refused { "refused" } else { "failed" };
                (outcome, error.to_string())
            }
        };
        self.log.answered(self.number, id, path, sent, outcome, &text);
        self.landed.notify_waiters();
    }

    /// Why the last probe that ended has no answer.
    fn missing(&self) -> MutexGuard<'_, Option<String>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flying(&self) -> MutexGuard<'_, BTreeMap<u64, Flying>> {
        self.flying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
