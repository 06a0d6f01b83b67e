use std::{
    future::{Ready, ready},
    ops::Deref,
};

use actix_web::{
    Error, FromRequest, HttpRequest,
    dev::Payload,
    error::{
        ErrorBadRequest, ErrorPayloadTooLarge, ErrorUnsupportedMediaType,
        PayloadError,
    },
    http::{Method, header},
    web::Query,
};
use serde::Deserialize;

use crate::Format;

/// The longest name that a client can give its request, in characters.
const LONGEST: usize = 40;

/// The name a client gives its request, to find it again: the value of `id=` in
/// the query, or empty.
///
/// Others can see it, so it contains nothing else from the query, and it is
/// refused with 400 unless it is at most 40 letters, digits, `.`, `-` or `_`.
///
/// A GET with a body is refused with 413: nothing would read the body, and until
/// it is read, actix-web doesn't notice that the client has left.
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
        ready(if request.method() == Method::GET && has_body(request) {
            Err(ErrorPayloadTooLarge("This route takes no body."))
        } else {
            read(request)
        })
    }
}

/// A body of any size, not yet read.
///
/// With a `Content-Encoding`, such as `gzip`, it is refused with 415.
pub struct Upload {
    /// The request's name.
    pub id: RequestId,
    /// In bytes; 0 if the client doesn't declare it.
    pub length: u64,
    /// The format the client prefers.
    pub format: Format,
    /// The bytes, as they arrive.
    pub body: Payload,
}

impl FromRequest for Upload {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(
        request: &HttpRequest,
        payload: &mut Payload,
    ) -> Self::Future {
        let headers = request.headers();
        if headers.contains_key(header::CONTENT_ENCODING) {
            return ready(Err(ErrorUnsupportedMediaType(
                "Content-Encoding isn't supported; send the body uncompressed.",
            )));
        }
        let length = headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|value| value.to_str().ok()?.parse().ok());
        ready(read(request).map(|id| Self {
            id,
            length: length.unwrap_or(0),
            format: Format::wanted_by(request),
            body: payload.take(),
        }))
    }
}

/// Whether the body ended too early, that is, its client left.
pub fn client_left(error: &Error) -> bool {
    error.as_error::<PayloadError>().is_some()
}

fn read(request: &HttpRequest) -> Result<RequestId, Error> {
    let valid = |character: char| {
        character.is_ascii_alphanumeric()
            || ['.', '-', '_'].contains(&character)
    };
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
