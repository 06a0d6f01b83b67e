//! What each exercise's server must do. A failing check panics with a message
//! for the learner.

use std::{
    collections::HashSet,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use harness::{Pending, Server, events, wait_for, wait_for_event};
use serde_json::Value;

use crate::{check::caught, look::start};

/// It counts until it is killed, or for minutes.
const ENDLESS: u64 = 1_000_000_000_000;

/// What the server of the exercise with this name doesn't do yet.
pub fn missing(name: &str, program: &Path) -> Option<String> {
    const CHECKS: [fn(&Path); 11] = [
        a_late_alarm,
        a_borrowed_thread,
        giving_way,
        blocking_recv,
        which_thread,
        words,
        one_at_a_time,
        a_pool_for_short_jobs,
        when_to_come_back,
        time_left,
        pause,
    ];
    let checked = caught(|| {
        let number: usize = name[..2].parse().expect("it is a number");
        CHECKS[number - 1](program);
        Ok(())
    });
    checked.err()
}

fn counting_to(program: &Path, iterations: u64) -> Server {
    start(program, [("ITERATIONS", iterations)])
}

/// Sends a `/blocking` and sees that somebody else is answered before it.
fn alive(server: &Server) -> Pending {
    let blocking = server.send("/blocking");
    let response = server.get("/non-blocking");
    assert_eq!(response.body(), "This page is non-blocking.");
    assert!(
        !blocking.is_answered(),
        "/non-blocking had to wait for /blocking."
    );
    blocking
}

fn a_late_alarm(program: &Path) {
    // It takes half a second at least.
    let server = counting_to(program, 3_000_000_000);
    let start = Instant::now();
    let requests: Vec<_> = (0..10).map(|_| server.open("/waiting")).collect();
    // Their alarms go off while the thread counts.
    let moment = Duration::from_millis(2600);
    thread::sleep(moment.saturating_sub(start.elapsed()));
    let blocking = server.send("/blocking");
    let read = start.elapsed();
    assert!(
        read < Duration::from_secs(15),
        "/waiting blocks the thread: nobody else was served for {read:?}."
    );
    let late = requests.into_iter().filter(|it| !it.is_answered());
    let late: Vec<_> = late.collect();
    assert!(!late.is_empty(), "/waiting should wait for 3 seconds.");
    wait_for("/blocking is answered", || blocking.is_answered());
    let waited = start.elapsed().as_secs_f64();
    for answer in late.into_iter().map(Pending::wait) {
        let mut numbers = answer.split_whitespace().rev();
        let measured = numbers.find_map(|it| it.parse::<f64>().ok());
        let measured =
            measured.expect("/waiting doesn't report a number of seconds.");
        assert!(
            measured > 3.0 && measured > 0.85 * waited,
            "it took {waited:.1} seconds, but /waiting reports {measured}."
        );
    }
}

fn a_borrowed_thread(program: &Path) {
    let blocking = alive(&counting_to(program, 1_000_000_000)).wait();
    assert!(blocking.ends_with("Result is 1000000000"), "{blocking}");
}

fn giving_way(program: &Path) {
    let server = counting_to(program, 500_000_000);
    server.get("/non-blocking");
    #[cfg(target_os = "linux")]
    let threads = server.threads();
    let blocking = alive(&server);
    #[cfg(target_os = "linux")]
    assert_eq!(server.threads(), threads, "another thread was started.");
    blocking.wait();

    let start = Instant::now();
    let heavy = [server.send("/blocking"), server.send("/blocking")];
    wait_for("one is answered", || heavy.iter().any(Pending::is_answered));
    let one = start.elapsed();
    for answer in heavy.map(Pending::wait) {
        assert!(answer.ends_with("Result is 500000000"), "{answer}");
    }
    let both = start.elapsed();
    assert!(
        one > both * 3 / 4,
        "of two /blocking requests, one was answered after {one:?} and the \
         other after {both:?}: the second waited for the first."
    );
}

fn blocking_recv(program: &Path) {
    let server = counting_to(program, 500_000_000);
    let blocking = server.send("/blocking");
    server.get("/non-blocking");
    let waited = blocking.is_answered();
    assert!(waited, "/non-blocking was answered while the worker counted.");
    let answer = blocking.wait();
    assert!(answer.ends_with("Result is 500000000"), "{answer}");
}

fn which_thread(program: &Path) {
    let server = counting_to(program, 1000);
    let thread = || {
        let response = server.get("/blocking");
        assert_eq!(response.body(), "Result is 1000");
        let header = response.headers().get("counted-by");
        let header = header.expect("the response has no header Counted-By.");
        header.to_str().expect("it is text").to_owned()
    };
    let threads = HashSet::from([thread(), thread(), thread()]);
    assert!(
        threads.iter().all(|it| it.starts_with("ThreadId(")),
        "{threads:?} aren't thread IDs."
    );
    assert_eq!(
        threads.len(),
        3,
        "{threads:?}: which thread runs the line that reads the ID?"
    );
}

fn words(program: &Path) {
    let server = counting_to(program, 1);
    let words = |text: &[u8]| {
        let response = server.post("/words", "text/plain; charset=utf-8", text);
        (response.status().as_u16(), response.into_body())
    };
    for (text, answer) in [
        ("to be or not to be", "6 words"),
        (" Straße\n\tdéjà  vu ", "3 words"),
        ("", "0 words"),
    ] {
        assert_eq!(words(text.as_bytes()), (200, answer.into()), "{text:?}");
    }
    let book = words("word ".repeat(1_000_000).as_bytes());
    assert_eq!(book, (200, "1000000 words".into()), "five megabytes");
    assert_eq!(words(&[0xff, 0xfe]).0, 400, "bytes that aren't UTF-8");
    assert_eq!(server.get("/non-blocking").status(), 200);
}

fn one_at_a_time(program: &Path) {
    let response = counting_to(program, 1_000_003).get("/blocking");
    assert_eq!(response.body(), "Result is 1000003");
    let server = start(program, [("ITERATIONS", ENDLESS), ("THREADS", 3)]);
    // Once it has replied, the server's own threads have started.
    server.get("/non-blocking");
    #[cfg(target_os = "linux")]
    let before = server.threads();
    let _blocking = alive(&server);
    #[cfg(target_os = "linux")]
    assert_eq!(
        server.threads() - before,
        1,
        "number of threads that run at once"
    );
}

fn a_pool_for_short_jobs(program: &Path) {
    let busy = |iterations: u64| {
        let settings = [("ITERATIONS", iterations), ("THREADS", 2)];
        let server = start(program, settings);
        let long = [server.send("/blocking"), server.send("/blocking")];
        (server, long)
    };
    let overtakes = |iterations| {
        let (server, long) = busy(iterations);
        assert_eq!(server.get("/failing").status(), 500, "/failing");
        !long.iter().any(Pending::is_answered)
    };
    assert!(
        // A busy machine needs a longer count.
        overtakes(500_000_000) || overtakes(2_000_000_000),
        "/failing had to wait for /blocking."
    );
    // It still shuts down gracefully.
    #[cfg(unix)]
    {
        let (server, long) = busy(500_000_000);
        server.terminate();
        for answer in long.map(Pending::wait) {
            assert!(answer.ends_with("Result is 500000000"), "{answer}");
        }
        assert_eq!(server.wait().status.code(), Some(0));
    }
}

fn when_to_come_back(program: &Path) {
    let server = start(
        program,
        [("ITERATIONS", 500_000_000), ("QUEUE", 60), ("THREADS", 1)],
    );
    let start = Instant::now();
    for _ in 0..2 {
        assert_eq!(server.get("/blocking").status(), 200);
    }
    let one = start.elapsed().as_secs_f64() / 2.0;

    // All at once: 60 are admitted, and the last ones are refused.
    let requests = (0..64).map(|_| server.open("/blocking"));
    let requests: Vec<_> = requests.collect();
    let mut answers = requests.into_iter().rev().map(Pending::wait);
    let refused = answers.find(|it| it.starts_with("HTTP/1.1 503 "));
    let refused = refused.expect("nobody gets a 503.").to_lowercase();
    let seconds = refused.split_once("\nretry-after: ").and_then(|it| {
        let value = it.1.lines().next()?;
        value.parse::<f64>().ok()
    });
    let seconds =
        seconds.expect("a 503 needs a Retry-After header with a number.");
    let expected = 60.0 * one;
    assert!(
        seconds > expected / 3.0 && seconds < expected * 3.0,
        "60 requests of {one:.2} s each are ahead, and the client is asked \
         to come back after {seconds} s."
    );
}

fn time_left(program: &Path) {
    // Long enough for several events.
    let settings = [("ITERATIONS", 2_000_000_000), ("THREADS", 1)];
    let server = start(program, settings);
    let events = events(server.send("/progress"));
    let _request = server.send("/blocking");
    let mut looks = 0;
    for status in events.take_while(|it| it["done"] == 0) {
        let request = &status["running"][0];
        let number = |name: &str| request[name].as_f64();
        let (Some(done), Some(total)) = (number("done"), number("total"))
        else {
            continue;
        };
        // Before that, a single chunk makes a big difference.
        if done > total / 10.0 {
            let left = number("left_ms").expect("left_ms is missing.");
            let elapsed = number("elapsed_ms").expect("elapsed_ms is missing.");
            let expected = elapsed * (total - done) / done;
            assert!(
                (left - expected).abs() <= 0.1 * elapsed,
                "left_ms is {left}; it should be about {expected}: {request}"
            );
            looks += 1;
        }
    }
    assert!(looks > 1, "only {looks} events arrived while it ran.");
}

fn pause(program: &Path) {
    let done =
        |status: &Value| status["running"][0]["done"].as_u64().unwrap_or(0);
    let post = |server: &Server, path: &str| {
        let status = server.post(path, "text/plain", "").status();
        assert_eq!(status, 200, "POST {path}");
    };
    let server = start(program, [("ITERATIONS", ENDLESS), ("THREADS", 2)]);
    let request = server.send("/blocking?id=it");
    let now = || wait_for_event(&server, |_| true);
    wait_for("it counts", || done(&now()) > 0);
    post(&server, "/pause?id=it");
    wait_for("it stands still", || {
        let before = done(&now());
        thread::sleep(Duration::from_millis(300));
        done(&now()) == before
    });
    let paused = now();
    assert_eq!(
        paused["running"][0]["busy"], 2,
        "threads that a paused request keeps"
    );
    post(&server, "/resume?id=it");
    wait_for("it continues", || done(&now()) > done(&paused));
    assert!(!request.is_answered());

    post(&server, "/pause?id=it");
    drop(request);
    wait_for("it ends when its client leaves", || now()["cancelled"] == 1);
    let _next = server.send("/blocking?id=next");
    wait_for("its threads are free", || done(&now()) > 0);
}
