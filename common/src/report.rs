use std::{cmp::Reverse, num::NonZeroUsize, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::header::{self, Accept, Header, Quality},
    mime::{self, Mime},
};
use serde::Serialize;

use crate::{Summary, about, milliseconds};

/// The result of `/blocking`: the count, and how long it took.
///
/// As a response it is the text `Result is 10000000000`, or, for a client
/// that prefers `application/json`, an object with `step`,
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
    /// A report on a `result` that took this step `elapsed` to count.
    pub fn new(result: u64, elapsed: Duration) -> Self {
        let about = about();
        Self {
            step: about.step,
            result,
            threads: about.threads,
            elapsed_ms: milliseconds(elapsed),
        }
    }
}

impl Responder for Report {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let text = || format!("Result is {}", self.result);
        Format::wanted_by(request)
            .render("count", self.elapsed_ms, &self, text)
            .respond_to(request)
    }
}

/// What a report is rendered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// A response whose body is already rendered.
#[derive(Debug)]
pub struct Rendered {
    content_type: Mime,
    timing: String,
    body: String,
}

impl Format {
    /// The format this request's client prefers.
    pub fn wanted_by(request: &HttpRequest) -> Self {
        if prefers_json(request) { Self::Json } else { Self::Text }
    }

    fn render(
        self,
        what: &str,
        elapsed_ms: f64,
        report: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Rendered {
        let (content_type, body) = match self {
            Self::Text => (mime::TEXT_PLAIN_UTF_8, text()),
            Self::Json => {
                let body = serde_json::to_string(report).unwrap_or_default();
                (mime::APPLICATION_JSON, body)
            }
        };
        let timing = format!("{what};dur={elapsed_ms}");
        Rendered { content_type, timing, body }
    }
}

impl Responder for Rendered {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header(("Server-Timing", self.timing))
            .insert_header((header::VARY, "Accept"))
            .content_type(self.content_type)
            .body(self.body)
    }
}

/// The result of `/summary`: a file's summary, and how long it took, counted from
/// the request's head.
///
/// As a response it is the text of the [`Summary`] and a line break, or, for a
/// client that prefers `application/json`, an object with `step`,
/// `rows`, `elapsed_ms` and `names`. Both carry a `Server-Timing` header.
#[derive(Debug, Serialize)]
pub struct SummaryReport {
    step: &'static str,
    rows: u64,
    elapsed_ms: f64,
    names: Summary,
}

impl SummaryReport {
    /// A report on the `summary` of a file with that many rows.
    pub fn new(rows: u64, summary: Summary, elapsed: Duration) -> Self {
        let (step, elapsed_ms) = (about().step, milliseconds(elapsed));
        Self { step, rows, elapsed_ms, names: summary }
    }

    /// Renders it. With many names this takes milliseconds, so it's a job for a
    /// worker thread.
    pub fn render(&self, format: Format) -> Rendered {
        let text = || format!("{}\n", self.names);
        format.render("summary", self.elapsed_ms, self, text)
    }
}

/// Whether the request prefers JSON to plain text, according to RFC 9110, 12.5.1:
/// of the ranges that match a type, the most specific one sets its weight. If two
/// types have the same weight, the one with the more specific range wins, and
/// then the one whose range comes first.
///
/// An `Accept` that can't be parsed, or that accepts neither, is ignored.
fn prefers_json(request: &HttpRequest) -> bool {
    let Ok(Accept(ranges)) = Accept::parse(request) else { return false };
    let wanted = |kind, subtype| {
        let ranges = ranges.iter().enumerate().filter_map(|(at, range)| {
            let precision = match (range.item.type_(), range.item.subtype()) {
                (t, s) if t == kind && s == subtype => 2,
                (t, mime::STAR) if t == kind => 1,
                (mime::STAR, mime::STAR) => 0,
                _ => return None,
            };
            Some((precision, range.quality, Reverse(at)))
        });
        let best = ranges.max_by_key(|(precision, _, at)| (*precision, *at));
        best.filter(|(_, quality, _)| *quality > Quality::ZERO)
            .map(|(precision, quality, at)| (quality, precision, at))
    };
    wanted(mime::APPLICATION, mime::JSON) > wanted(mime::TEXT, mime::PLAIN)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn json_is_for_clients_that_prefer_it() {
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
        assert!(json("Application/JSON"));
        assert!(json("application/*"));
        assert!(json("*/*;q=0.9, application/json"));
        assert!(json("text/plain;q=0, */*"), "anything but plain text");
        assert!(json("application/json;q=0.2, text/*;q=0.1, text/html"));
        assert!(json("application/*;q=0.1, application/json, text/plain;q=.5"));

        assert!(!json("*/*"));
        assert!(!json("text/plain, application/json"));
        assert!(!json("text/html, */*;q=0.8"));
        assert!(!json("image/png"));
        assert!(!json("nonsense"));
        assert!(!json("application/json;q=0"), "not JSON");
        assert!(!json("application/json;q=0.0, */*"));
        assert!(!json("application/json;q=0.000, application/*"));
        assert!(!json("*/*, application/json;q=0"));
        assert!(!json("text/*, application/json;q=0.9"));
        assert!(!json("*/*;q=0"), "neither, so the default");
        assert!(!json("application/json;q=nonsense"));
        assert!(!json("application/jsonp, application/json5"));
        assert!(!prefers_json(&TestRequest::default().to_http_request()));
    }
}
