fn no_room() -> Error {
    let response = HttpResponse::ServiceUnavailable()
        .insert_header((RETRY_AFTER, "1"))
        .content_type("text/plain; charset=utf-8")
        .body("No room for this request now. Try again later.");
    InternalError::from_response("no room", response).into()
}
