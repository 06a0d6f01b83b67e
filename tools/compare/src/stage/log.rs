//! What happened in the last seconds, in one order for all browsers.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use common::milliseconds;
use serde_json::{Value, json};

use super::threads;
use crate::{
    format::sanitized,
    measure::{Failure, probe::Unsuccessful},
    options::{Options, Source, Subject},
    results::IN_TIME_MS,
};

/// How long an event is kept for browsers that connect later.
const KEPT: Duration = Duration::from_secs(20);

/// How many requests a lane's server gets to work on, apart from a burst: the
/// machine stays usable, whatever is pressed.
pub const MOST: usize = 10;

/// The events, and a description of each lane.
pub struct Log {
    start: Instant,
    settings: Value,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the page shows on the left of each lane.
    abouts: Vec<Value>,
    /// How many events were dropped before `events`.
    gone: usize,
    events: VecDeque<(Instant, Arc<str>)>,
    /// The event of each request that has no response yet.
    flying: BTreeMap<u64, Arc<str>>,
    next_id: u64,
}

/// A request in flight. If it's dropped before it lands, it was cancelled.
pub struct Flight {
    log: Arc<Log>,
    lane: usize,
    id: u64,
    path: &'static str,
    sent: Instant,
    outcome: String,
}

impl Flight {
    /// Waits for the response.
    pub async fn land(
        mut self,
        answer: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let answer = answer.await;
        self.outcome = match &answer {
            Ok(()) => "ok".into(),
            Err(error) => error
                .downcast_ref::<Unsuccessful>()
                .map_or("failed".into(), |it| it.status.as_str().into()),
        };
        answer
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let Self { log, lane, id, path, sent, outcome } = self;
        let (sent, now) = (log.at(*sent), log.at(Instant::now()));
        let mut state = log.state();
        state.flying.remove(id);
        state.push(json!(["request", lane, id, path, sent, now, outcome]));
    }
}

impl Log {
    pub fn new(options: &Options) -> Self {
        let about = |Subject { name, source }: &Subject| {
            let name = sanitized(name, 80);
            let is_peer = matches!(source, Source::Url(_));
            json!({ "name": name, "is_peer": is_peer, "state": "starting" })
        };
        let abouts = options.subjects().iter().map(about).collect();
        let settings = json!({
            "interval": options.interval().as_millis(),
            "in_time": IN_TIME_MS,
            "cores": thread::available_parallelism().map_or(1, |it| it.get()),
            "most": MOST,
            "has_threads": threads::are_reported(),
        });
        let state = Mutex::new(State { abouts, ..State::default() });
        Self { start: Instant::now(), settings, state }
    }

    /// Milliseconds since the stage began.
    fn at(&self, moment: Instant) -> f64 {
        let ms = milliseconds(moment.saturating_duration_since(self.start));
        (ms * 10.0).round() / 10.0
    }

    /// Changes what the page shows about a lane.
    pub fn about(&self, lane: usize, change: Value) {
        let mut state = self.state();
        let about = &mut state.abouts[lane];
        if let (Some(old), Value::Object(new)) = (about.as_object_mut(), change)
        {
            old.extend(new);
        }
        let event = json!(["about", lane, about]);
        state.push(event);
    }

    pub fn sent(
        self: &Arc<Self>,
        lane: usize,
        path: &'static str,
        sent: Instant,
    ) -> Flight {
        let mut state = self.state();
        let id = state.next_id;
        state.next_id += 1;
        let event = json!(["request", lane, id, path, self.at(sent)]);
        let event = state.push(event);
        state.flying.insert(id, event);
        let log = self.clone();
        Flight { log, lane, id, path, sent, outcome: "cancelled".into() }
    }

    /// Which threads a lane has, and what they did since the last look.
    pub fn threads(&self, lane: usize, threads: Value) {
        let now = self.at(Instant::now());
        self.state().push(json!(["threads", lane, now, threads]));
    }

    /// Everything a browser needs to begin, and where to continue reading.
    pub fn hello(&self) -> (usize, String) {
        let state = self.state();
        let hello = json!(["hello", state.abouts, self.settings]).to_string();
        let flying = state.flying.values().map(|it| &**it);
        let events = [&*hello].into_iter().chain(flying);
        self.message(&state, 0, events)
    }

    /// What has happened since, and where to continue reading. A browser that
    /// was away for longer than events are kept begins again.
    pub fn since(&self, cursor: usize) -> (usize, String) {
        let state = self.state();
        let Some(known) = cursor.checked_sub(state.gone) else {
            drop(state);
            return self.hello();
        };
        self.message(&state, known, [])
    }

    /// These events, and all but those that are known.
    fn message<'a>(
        &self,
        state: &'a State,
        known: usize,
        first: impl IntoIterator<Item = &'a str>,
    ) -> (usize, String) {
        let events = state.events.iter().skip(known).map(|it| &*it.1);
        let events: Vec<_> = first.into_iter().chain(events).collect();
        let (now, events) = (self.at(Instant::now()), events.join(","));
        let cursor = state.gone + state.events.len();
        (cursor, format!("data: [{now},[{events}]]\n\n"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, event: Value) -> Arc<str> {
        let (now, event): (_, Arc<str>) =
            (Instant::now(), event.to_string().into());
        self.events.push_back((now, event.clone()));
        while self.events.front().is_some_and(|it| now - it.0 > KEPT) {
            self.events.pop_front();
            self.gone += 1;
        }
        event
    }
}
