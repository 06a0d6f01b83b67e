//! A request ends the way its handler does.

#[allow(dead_code)] // Nothing counts here, and nothing has a time limit.
mod progress {
    include!("../src/progress.rs");
}

use common::LimitSettings;
use progress::Requests;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// What `progress` uses of the step's state.
#[allow(dead_code)]
struct State {
    settings: LimitSettings,
    stop: CancellationToken,
}

fn endings(requests: &Requests) -> Value {
    let (json, idle) = requests.status();
    assert!(idle, "no request is running");
    serde_json::from_str(&json.unwrap()).unwrap()
}

#[test]
fn each_request_is_counted_once_by_its_handlers_result_or_as_cancelled() {
    let requests = Requests::default();
    requests.refuse();
    for _ in 0..2 {
        requests.begin("done", 1).end(Ok::<_, ()>(())).unwrap();
    }
    // No matter how far it got: the share that failed may have been the last.
    for _ in 0..3 {
        requests.begin("failed", 0).end(Err::<(), _>(())).unwrap_err();
    }
    for _ in 0..4 {
        drop(requests.begin("dropped", 0));
    }
    let expected = json!({
        "running": [], "refused": 1, "done": 2, "failed": 3, "cancelled": 4,
    });
    assert_eq!(endings(&requests), expected);
}

#[test]
fn a_share_that_starts_after_the_stop_counts_nothing() {
    let requests = Requests::default();
    let request = requests.begin("it", u64::MAX);
    let progress = request.progress.clone();
    drop(request);
    assert_eq!(progress.count(u64::MAX), 0);
}
