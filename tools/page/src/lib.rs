//! The live page at `/` of every step: a heartbeat, buttons, and the result of each
//! request. Its files are compiled into the program.

use std::future::ready;

use actix_web::{
    HttpRequest, HttpResponse, Route,
    body::{self, MessageBody},
    guard::{Any, Get, Head},
    http::{
        Method,
        header::{self, ContentType},
    },
    web::{ServiceConfig, route, to},
};
use common::{About, about};
use serde_json::{Value, json};

/// The icon of the pages.
pub const ICON: &str = include_str!("page.svg");

/// The script that draws a time axis, for other pages too: the class `Axis`.
pub const AXIS_SCRIPT: &str = include_str!("axis.js");

/// The style sheet with the colours that the script draws in.
pub const AXIS_STYLE: &str = include_str!("axis.css");

/// Path, content type and text of each file that the page is made of.
const FILES: [(&str, &str, &str); 6] = [
    ("/", "text/html; charset=utf-8", include_str!("page.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("page.css")),
    ("/axis.css", "text/css; charset=utf-8", AXIS_STYLE),
    ("/axis.js", "text/javascript; charset=utf-8", AXIS_SCRIPT),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
    ("/page.svg", "image/svg+xml", ICON),
];

/// Routes that the page uses, and that only some of the steps have.
const OPTIONAL: [&str; 4] = ["/failing", "/pool", "/progress", "/summary"];

/// The only path that takes a body, and it takes only POST.
const UPLOAD: &str = "/summary";

/// Adds the page at `/` with its files, and the response for a path or a method
/// that no route has.
pub fn routes(config: &mut ServiceConfig) {
    for (path, content_type, text) in FILES {
        let response = move || ready(file(content_type, text));
        config.route(path, get_or_head().to(response));
    }
    config
        .route("/page.json", get_or_head().to(about_step))
        .default_service(to(elsewhere));
}

/// A route for both. actix-web leaves out the body for HEAD.
fn get_or_head() -> Route {
    route().guard(Any(Get()).or(Head()))
}

/// What the page shows of the step that serves it.
async fn about_step(request: HttpRequest) -> HttpResponse {
    let routes = request.resource_map();
    let about = describe(about(), |path| routes.has_resource(path));
    file("application/json", about.to_string())
}

fn describe(about: &About, has_route: impl Fn(&str) -> bool) -> Value {
    json!({
        "step": about.step,
        "idea": about.idea,
        // As text: JavaScript's numbers can't represent all of them exactly.
        "iterations": about.iterations.to_string(),
        "threads": about.threads,
        "routes": OPTIONAL
            .into_iter()
            .filter(|path| has_route(path))
            .collect::<Vec<_>>(),
    })
}

/// A file of a page that loads nothing from elsewhere.
pub fn file(
    content_type: &str,
    text: impl MessageBody + 'static,
) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; style-src 'self'; \
             img-src 'self'; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // The next server on this port may have another page.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(text)
}

/// The response to every other request. actix-web calls this as well if the path
/// is known and only the method isn't.
async fn elsewhere(request: HttpRequest) -> HttpResponse {
    let path = request.path();
    if !request.resource_map().has_resource(path) {
        return HttpResponse::NotFound()
            .content_type(ContentType::plaintext())
            .body("There is no such page. Try /blocking or /non-blocking.");
    }
    let (allowed, text) = match path {
        UPLOAD => ("POST", "Only POST is allowed here."),
        _ if request.method() == Method::HEAD => return head(path),
        _ => ("GET, HEAD", "Only GET and HEAD are allowed here."),
    };
    HttpResponse::MethodNotAllowed()
        .insert_header((header::ALLOW, allowed))
        .content_type(ContentType::plaintext())
        .body(text)
}

/// What GET would return, as far as that's known without doing the work, and
/// without a body (RFC 9110, 9.3.2).
fn head(path: &str) -> HttpResponse {
    let content_type = match path {
        "/pool" => "application/json",
        "/progress" => "text/event-stream",
        _ => "text/plain; charset=utf-8",
    };
    // No length: it isn't known.
    HttpResponse::Ok().content_type(content_type).body(body::None::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{
        App,
        http::header::HeaderMap,
        test::{TestRequest, call_service, init_service, read_body},
    };

    /// The response of a step with `/failing`, but without `/pool`.
    async fn get(path: &str) -> (HeaderMap, String) {
        let failing =
            actix_web::web::get().to(HttpResponse::InternalServerError);
        let app = App::new().configure(routes).route("/failing", failing);
        let app = init_service(app).await;
        let request = TestRequest::with_uri(path).to_request();
        let response = call_service(&app, request).await;
        let headers = response.headers().clone();
        let body = read_body(response).await;
        (headers, String::from_utf8(body.into()).unwrap())
    }

    #[actix_web::test]
    async fn every_file_has_the_headers_that_keep_others_out() {
        for (path, content_type, text) in FILES {
            let (headers, body) = get(path).await;
            assert_eq!(body, text);
            for (name, value) in [
                ("content-type", content_type),
                ("x-content-type-options", "nosniff"),
                ("cache-control", "no-cache"),
            ] {
                assert_eq!(headers.get(name).unwrap(), value, "{path}");
            }
            let policy = headers.get("content-security-policy").unwrap();
            let policy = policy.to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'; "), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            for trap in
                ["innerHTML", "outerHTML", "insertAdjacent", "write(", "eval("]
            {
                assert!(!text.contains(trap), "{path} makes markup: {trap}");
            }
        }
    }

    #[actix_web::test]
    async fn the_step_is_described_with_its_routes_and_an_exact_number() {
        let (headers, body) = get("/page.json").await;
        let kind = headers.get("content-type").unwrap();
        assert_eq!(kind, "application/json");
        let about: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(about["threads"], 1);
        assert_eq!(about["routes"], json!(["/failing"]));

        let about = About { iterations: u64::MAX, ..About::default() };
        let json = describe(&about, |_| false);
        assert_eq!(json["iterations"], u64::MAX.to_string());
    }
}
