use std::sync::LazyLock;

use serde_json::Value;
use ureq::{
    Agent, AsSendBody,
    http::{Request, Response, request::Builder},
};

use crate::{PATIENCE, Server, wait_for};

/// It keeps connections open, as browsers do.
static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .proxy(None)
        .build()
        .into()
});

/// Each method sends a request and waits for the response, whatever its status.
///
/// # Panics
/// When there is no response, or none within a minute.
impl Server {
    /// Sends a GET.
    pub fn get(&self, path: &str) -> Response<String> {
        self.request("GET", path, "*/*")
    }

    /// Sends a request with an `Accept` header.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        accept: &str,
    ) -> Response<String> {
        let request = Request::builder().method(method);
        self.ask(path, request.header("Accept", accept), ())
    }

    /// Sends a POST with a body of this type.
    pub fn post(
        &self,
        path: &str,
        content_type: &str,
        body: impl AsRef<[u8]>,
    ) -> Response<String> {
        let request = Request::builder().method("POST");
        let request = request.header("Content-Type", content_type);
        self.ask(path, request, body.as_ref())
    }

    fn ask(
        &self,
        path: &str,
        request: Builder,
        body: impl AsSendBody,
    ) -> Response<String> {
        let request = request.uri(format!("{}{path}", self.url()));
        let request = request.body(body).expect("it is valid");
        let response = AGENT.run(request).and_then(|response| {
            let (head, mut body) = response.into_parts();
            Ok(Response::from_parts(head, body.read_to_string()?))
        });
        response.unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// Waits until these figures of `GET /pool` have these values.
///
/// # Panics
/// When that takes longer than a minute.
pub fn wait_for_pool(server: &Server, expected: &[(&str, u64)]) {
    wait_for(&format!("{expected:?}"), || {
        let figures = server.get("/pool");
        let figures: Value =
            serde_json::from_str(figures.body()).expect("JSON");
        expected.iter().all(|(name, value)| figures[name] == *value)
    });
}
