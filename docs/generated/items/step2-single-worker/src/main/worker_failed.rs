fn worker_failed(_: RecvError) -> Error {
    ErrorInternalServerError("The worker failed. The server goes on.")
}
