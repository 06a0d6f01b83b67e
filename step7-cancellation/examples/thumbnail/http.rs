// What is asked for, and what is answered.

use std::{io, iter, num::NonZeroU16};

use actix_web::{
    HttpResponse,
    body::{MessageBody, SizedStream},
    error::InternalError,
    http::{
        StatusCode,
        header::{ALLOW, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
    },
    web::{Bytes, QueryConfig},
};
use futures::{Stream, stream};
use serde::Deserialize;

/// Why there is no thumbnail: a status of HTTP, and what to do.
pub type Refusal<T = &'static str> = (u16, T);

pub const NO_SUCH_PAGE: Refusal =
    (404, "There is no such page. Send a picture: POST /thumbnail?width=400.");
pub const ONLY_POST: Refusal =
    (405, "Only POST works here. Send a picture: POST /thumbnail?width=400.");
pub const SILENT: Refusal =
    (408, "No byte came for too long. Send the picture again.");
pub const TOO_MANY_BYTES: Refusal =
    (413, "The picture has more than 20 MiB. Send a smaller one.");
pub const TOO_MUCH_MEMORY: Refusal =
    (413, "This picture needs more memory than there is. Send a smaller one.");
pub const OTHER_FORMAT: Refusal =
    (415, "This is neither a JPEG nor a PNG. Send one of these.");
pub const DAMAGED: Refusal =
    (422, "The picture is damaged, or of a rare kind. Send another.");
pub const FAILED: Refusal = (500, "The worker failed. The server goes on.");
pub const NO_ROOM: Refusal =
    (503, "No room for this picture now. Try again later.");

/// How much of an answer the server has ready for a client that reads.
const PART: usize = 64 << 10;

#[derive(Deserialize)]
pub struct Wanted {
    pub width: NonZeroU16,
}

/// Says what is wrong with the query, if it doesn't say what is wanted.
pub fn explained() -> QueryConfig {
    QueryConfig::default().error_handler(|error, request| {
        let query: String = request.query_string().chars().take(100).collect();
        let text = format!(
            "?{query}: expected one width from 1 to 65535, as in ?width=400."
        );
        let response = refused((400, text));
        InternalError::from_response(error, response).into()
    })
}

pub fn refused<T: MessageBody + 'static>(refusal: Refusal<T>) -> HttpResponse {
    let (status, text) = refusal;
    let known = StatusCode::from_u16(status).unwrap_or_default();
    let mut response = HttpResponse::build(known);
    match status {
        405 => response.insert_header((ALLOW, "POST")),
        503 => response.insert_header((RETRY_AFTER, "1")),
        _ => &mut response,
    };
    response
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type("text/plain; charset=utf-8")
        .body(text)
}

/// A body that holds on to its slot until the client has taken nearly all of
/// it. In one piece it would lie in the connection's memory, uncounted, for as
/// long as the client doesn't read.
pub fn body_with(
    slot: impl Unpin + 'static,
    jpeg: Vec<u8>,
) -> SizedStream<impl Stream<Item = io::Result<Bytes>>> {
    let length = jpeg.len() as u64;
    let mut rest = Bytes::from(jpeg);
    let parts = iter::from_fn(move || {
        let _held = &slot;
        let part = rest.split_to(rest.len().min(PART));
        (!part.is_empty()).then_some(Ok(part))
    });
    SizedStream::new(length, stream::iter(parts))
}
