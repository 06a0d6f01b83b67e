//! What happened in the last seconds, in one order for all browsers.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use common::milliseconds;
use serde_json::{Value, json};

use super::threads;
use crate::{format::sanitized, options::Options, results::IN_TIME_MS};

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
    /// How many events were dropped before `events`.
    gone: usize,
    events: VecDeque<(Instant, Arc<str>)>,
    lanes: Vec<LaneState>,
}

#[derive(Default)]
struct LaneState {
    /// What the page shows on its left.
    about: Value,
    /// Requests without a response.
    flying: Vec<(u64, Arc<str>)>,
}

impl Log {
    pub fn new(options: &Options) -> Self {
        let lane = |name: &str| LaneState {
            about: json!({ "name": sanitized(name, 80), "state": "starting" }),
            flying: Vec::new(),
        };
        let lanes =
            options.subjects().iter().map(|it| lane(&it.name)).collect();
        let settings = json!({
            "interval": options.interval().as_millis(),
            "in_time": IN_TIME_MS,
            "cores": thread::available_parallelism().map_or(1, |it| it.get()),
            "most": MOST,
            "has_threads": threads::are_reported(),
        });
        let state = Mutex::new(State { lanes, ..State::default() });
        Self { start: Instant::now(), settings, state }
    }

    /// Milliseconds since the stage began.
    pub fn at(&self, moment: Instant) -> f64 {
        let ms = milliseconds(moment.saturating_duration_since(self.start));
        (ms * 10.0).round() / 10.0
    }

    /// Changes what the page shows about a lane.
    pub fn about(&self, lane: usize, change: Value) {
        let mut state = self.state();
        let about = &mut state.lanes[lane].about;
        if let (Some(old), Value::Object(new)) = (about.as_object_mut(), change)
        {
            old.extend(new);
        }
        let event = json!(["about", lane, about]);
        state.push(event);
    }

    pub fn sent(&self, lane: usize, id: u64, path: &str, at: Instant) {
        let event = json!(["request", lane, id, path, self.at(at)]);
        let mut state = self.state();
        let event = state.push(event);
        state.lanes[lane].flying.push((id, event));
    }

    /// A response: `ok`, or another status; or why there is none.
    pub fn answered(
        &self,
        lane: usize,
        id: u64,
        path: &str,
        sent: Instant,
        outcome: &str,
    ) {
        let (at, now) = (self.at(sent), self.at(Instant::now()));
        let event = json!(["request", lane, id, path, at, now, outcome]);
        let mut state = self.state();
        state.lanes[lane].flying.retain(|it| it.0 != id);
        state.push(event);
    }

    /// Which threads a lane has, and what they did since the last look.
    pub fn threads(&self, lane: usize, threads: Value) {
        let now = self.at(Instant::now());
        self.state().push(json!(["threads", lane, now, threads]));
    }

    /// Everything a browser needs to begin, and where to continue reading.
    pub fn hello(&self) -> (usize, String) {
        let state = self.state();
        let about: Vec<_> = state.lanes.iter().map(|it| &it.about).collect();
        let hello = json!(["hello", about, self.settings]).to_string();
        let flying = state.lanes.iter().flat_map(|it| &it.flying);
        let flying = flying.map(|it| &*it.1);
        let events = state.events.iter().map(|it| &*it.1);
        let all = [&*hello].into_iter().chain(flying).chain(events);
        let all: Vec<_> = all.collect();
        (state.gone + state.events.len(), self.message(&all))
    }

    /// What has happened since, and where to continue reading. A browser that
    /// was away for longer than events are kept begins again.
    pub fn since(&self, cursor: usize) -> (usize, String) {
        let state = self.state();
        let Some(known) = cursor.checked_sub(state.gone) else {
            drop(state);
            return self.hello();
        };
        let events = state.events.iter().skip(known).map(|it| &*it.1);
        let events: Vec<_> = events.collect();
        (state.gone + state.events.len(), self.message(&events))
    }

    fn message(&self, events: &[&str]) -> String {
        let now = self.at(Instant::now());
        format!("data: [{now},[{}]]\n\n", events.join(","))
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
