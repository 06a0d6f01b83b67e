use std::{num::NonZeroUsize, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::header::{self, Accept, Header},
    mime,
};
use serde::Serialize;

use crate::{Settings, milliseconds};

/// What `/blocking` answers: the count, and how long it took.
///
/// As a response it is the text `Result is 10000000000`, or, for a client
/// that would rather have `application/json`, an object with `step`,
/// `result`, `threads` and `elapsed_ms`. Both carry a `Server-Timing` header,
/// which browsers show in their network panel
/// (<https://www.w3.org/TR/server-timing/>).
#[derive(Debug, Serialize)]
pub struct Report {
    step: &'static str,
    result: u64,
    threads: NonZeroUsize,
    elapsed_ms: f64,
}

impl Report {
    /// A report on `result`, which the step with these `settings` counted in
    /// the time `elapsed`.
    pub fn new(settings: &Settings, result: u64, elapsed: Duration) -> Self {
        Self {
            step: settings.step,
            result,
            threads: settings.threads,
            elapsed_ms: milliseconds(elapsed),
        }
    }
}

impl Responder for Report {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response
            .insert_header((
                "Server-Timing",
                format!("count;dur={}", self.elapsed_ms),
            ))
            .insert_header((header::VARY, "Accept"));
        if prefers_json(request) {
            response.json(self)
        } else {
            response
                .content_type(mime::TEXT_PLAIN_UTF_8)
                .body(format!("Result is {}", self.result))
        }
    }
}

/// Whether the request names JSON before anything that plain text would do
/// for. An `Accept` that can't be read counts as none.
fn prefers_json(request: &HttpRequest) -> bool {
    let accepted = Accept::parse(request).map(|a| a.ranked());
    accepted.unwrap_or_default().into_iter().find_map(|mime| {
        match (mime.type_(), mime.subtype()) {
            (mime::APPLICATION, mime::JSON) => Some(true),
            (mime::STAR, _) | (mime::TEXT, mime::STAR | mime::PLAIN) => {
                Some(false)
            }
            _ => None,
        }
    }) == Some(true)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn json_is_for_those_who_prefer_it() {
        let json = |accept: &str| {
            let request = TestRequest::default()
                .insert_header((header::ACCEPT, accept))
                .to_http_request();
            prefers_json(&request)
        };
        assert!(json("application/json"));
        assert!(json("application/json, */*"));
        assert!(json("text/html, application/json;q=0.9, */*;q=0.1"));
        assert!(json("text/plain;q=0.5, application/json"));

        assert!(!json("*/*"));
        assert!(!json("text/plain, application/json"));
        assert!(!json("text/html, */*;q=0.8"));
        assert!(!json("image/png"));
        assert!(!json("nonsense"));
        assert!(!prefers_json(&TestRequest::default().to_http_request()));
    }
}
