//! No table, however large, keeps the server thread busy for long.

#![cfg(unix)]

#[allow(dead_code)] // No request is admitted or refused here.
mod pool {
    include!("../src/pool.rs");
}
#[allow(dead_code)]
mod progress {
    include!("../src/progress.rs");
}
mod summary {
    include!("../src/summary.rs");
}

use std::{fmt::Write, future::poll_fn, pin::pin, time::Duration};

use actix_web::{FromRequest, test::TestRequest};
use clap::Parser;
use common::{Upload, UploadSettings};
use pool::Pool;
use progress::Requests;
use rustix::time::{ClockId, clock_gettime};
use summary::summarise;

/// This thread's CPU time: the machine may have other work.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

#[actix_web::test]
async fn ten_thousand_names_of_a_hundred_bytes_take_no_poll_longer_than_10_ms()
{
    let settings = UploadSettings::parse_from(["step", "--threads", "4"]);
    let pool = Pool::start(settings.threads, settings.queue).unwrap();
    let permit = pool.admit().unwrap();
    let requests = Requests::default();
    let running = requests.begin("", 0);
    let mut file = String::new();
    for row in 0..60_000 {
        writeln!(file, "{:0100};1.0", row % 10_000).unwrap();
    }
    for accept in ["text/plain", "application/json"] {
        let request = TestRequest::post()
            .insert_header(("Accept", accept))
            .set_payload(file.clone());
        let (request, mut body) = request.to_http_parts();
        let upload = Upload::from_request(&request, &mut body).await.unwrap();
        let summary = summarise(&settings, &pool, &permit, &running, upload);
        let mut summary = pin!(summary);
        let mut longest = Duration::ZERO;
        let result = poll_fn(|context| {
            let start = cpu_time();
            let poll = summary.as_mut().poll(context);
            longest = longest.max(cpu_time() - start);
            poll
        });
        result.await.unwrap();
        let limit = Duration::from_millis(10);
        assert!(longest < limit, "{accept}: {longest:?} in one poll");
    }
}
