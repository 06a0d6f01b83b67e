use actix_web::{
    Error, HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::{ConnectionType, Version, header::CACHE_CONTROL},
    web::Bytes,
};
use futures::Stream;

/// Server-sent events as a response: the headers around a stream of them
/// (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
///
/// Each item of the stream is sent as soon as the connection can take it, and
/// the next one is asked for after it: a slow reader has no queue.
#[derive(Debug)]
pub struct EventStream<S>(pub S);

impl<S> Responder for EventStream<S>
where
    S: Stream<Item = Result<Bytes, Error>> + 'static,
{
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok()
            .content_type("text/event-stream")
            .insert_header((CACHE_CONTROL, "no-store"))
            // Or else a proxy such as nginx holds the events back.
            .insert_header(("X-Accel-Buffering", "no"))
            .streaming(self.0);
        if request.version() < Version::HTTP_11 {
            // In chunks it could not read them (RFC 9112, 6.1): the end of the
            // connection is the end of the stream.
            let head = response.head_mut();
            head.no_chunking(true);
            head.set_connection_type(ConnectionType::Close);
        }
        response
    }
}
