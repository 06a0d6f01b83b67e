use std::{
    future::{Ready, ready},
    ops::Deref,
};

use actix_web::{
    Error, FromRequest, HttpRequest,
    dev::Payload,
    error::{ErrorBadRequest, ErrorPayloadTooLarge},
    http::header,
    web::Query,
};
use serde::Deserialize;

/// The longest name that a client can give its request, in characters.
const LONGEST: usize = 40;

/// The name that a client gives its request, by which it finds it again: the
/// value of `id=` in the query; empty if there is none.
///
/// It is shown to others, so nothing else of the query is in it, and it is
/// refused with 400 unless it has at most 40 letters, digits, `.`, `-` or `_`.
///
/// A request with a body is refused with 413: nobody would read the body, and
/// while it isn't read, actix-web doesn't see that the client has left.
#[derive(Debug, Deserialize)]
pub struct RequestId {
    #[serde(default)]
    id: String,
}

impl Deref for RequestId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.id
    }
}

impl FromRequest for RequestId {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(if has_body(request) {
            Err(ErrorPayloadTooLarge("No body is expected here."))
        } else {
            read(request)
        })
    }
}

fn read(request: &HttpRequest) -> Result<RequestId, Error> {
    let valid =
        |it: char| it.is_ascii_alphanumeric() || ['.', '-', '_'].contains(&it);
    match Query::<RequestId>::from_query(request.query_string()) {
        Ok(Query(it)) if it.len() <= LONGEST && it.chars().all(valid) => Ok(it),
        _ => Err(ErrorBadRequest(format!(
            "id: expected at most {LONGEST} letters, digits, '.', '-' or '_'."
        ))),
    }
}

fn has_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING)
        || length.is_some_and(|length| length != "0")
}
