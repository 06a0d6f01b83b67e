//! The live page at `/` of every step: a heartbeat, buttons, and the result of each
//! request. Its files are compiled into the program.

use std::future::ready;

use actix_web::{
    HttpRequest, HttpResponse, Route,
    body::{self, MessageBody},
    guard::{Any, Get, Head},
    http::{
        Method, StatusCode,
        header::{self, ContentType},
    },
    web::{ServiceConfig, route, to},
};
use common::{About, Format, about};
use serde_json::{Value, json};

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
    ("/page.svg", "image/svg+xml", include_str!("page.svg")),
];

/// Routes that the page uses, and that only some of the steps have.
const OPTIONAL: [&str; 4] = ["/failing", "/pool", "/progress", "/summary"];

/// The only path that takes a body, and it takes only POST.
const UPLOAD: &str = "/summary";

/// Adds the page at `/` with its files, and the response for a path or a method
/// that no route has.
pub fn routes(config: &mut ServiceConfig) {
    for (path, content_type, text) in FILES {
        let file = move || ready(part_of_the_page(content_type, text));
        config.route(path, get_or_head().to(file));
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
    part_of_the_page("application/json", about.to_string())
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

fn part_of_the_page(
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
        // The next server on this port may be another step.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(text)
}

/// The response to every other request. actix-web calls this as well if the path
/// is known and only the method isn't.
async fn elsewhere(request: HttpRequest) -> HttpResponse {
    let known = request.resource_map().has_resource(request.path());
    let takes_post = request.path() == UPLOAD;
    if known && !takes_post && request.method() == Method::HEAD {
        return head(&request);
    }
    let mut response = HttpResponse::NotFound();
    let text = if known {
        response.status(StatusCode::METHOD_NOT_ALLOWED);
        let (allowed, text) = if takes_post {
            ("POST", "Only POST is allowed here.")
        } else {
            ("GET, HEAD", "Only GET and HEAD are allowed here.")
        };
        response.insert_header((header::ALLOW, allowed));
        text
    } else {
        "There is no such page. Try /blocking or /non-blocking."
    };
    response
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type(ContentType::plaintext())
        .body(text)
}

/// What GET would return, as far as that's known without doing the work, and
/// without a body (RFC 9110, 9.3.2).
fn head(request: &HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.content_type(match request.path() {
        "/pool" => "application/json",
        "/progress" => "text/event-stream",
        "/blocking" if Format::wanted_by(request) == Format::Json => {
            "application/json"
        }
        _ => "text/plain; charset=utf-8",
    });
    match request.path() {
        "/blocking" => response.insert_header((header::VARY, "Accept")),
        "/progress" => {
            response.insert_header((header::CACHE_CONTROL, "no-store"))
        }
        _ => &mut response,
    };
    // No length: it isn't known.
    response
        .message_body(body::None::new())
        .map_or_else(Into::into, |it| it.map_into_boxed_body())
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
    async fn get(path: &str) -> (StatusCode, HeaderMap, String) {
        let failing =
            actix_web::web::get().to(HttpResponse::InternalServerError);
        let app = App::new().configure(routes).route("/failing", failing);
        let app = init_service(app).await;
        let request = TestRequest::with_uri(path).to_request();
        let response = call_service(&app, request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_body(response).await;
        (status, headers, String::from_utf8(body.into()).unwrap())
    }

    fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
        headers.get(name).expect(name).to_str().unwrap()
    }

    #[actix_web::test]
    async fn every_file_has_the_headers_that_keep_others_out() {
        for (path, content_type, text) in FILES {
            let (status, headers, body) = get(path).await;
            assert_eq!(status, 200);
            assert_eq!(body, text);
            assert_eq!(header(&headers, "content-type"), content_type);
            assert_eq!(header(&headers, "x-content-type-options"), "nosniff");
            assert_eq!(header(&headers, "cache-control"), "no-cache");
            let policy = header(&headers, "content-security-policy");
            assert!(policy.starts_with("default-src 'none'; "), "{policy}");
            assert!(policy.contains("script-src 'self'; "), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
        }
    }

    #[actix_web::test]
    async fn the_step_is_described_as_json_with_its_routes() {
        let (status, headers, body) = get("/page.json").await;
        assert_eq!(status, 200);
        assert_eq!(header(&headers, "content-type"), "application/json");
        assert_eq!(header(&headers, "x-content-type-options"), "nosniff");
        let about: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(about["threads"], 1);
        assert_eq!(about["routes"], json!(["/failing"]));
    }

    #[test]
    fn the_largest_number_of_rounds_reaches_the_page_exactly() {
        let about = About { iterations: u64::MAX, ..About::default() };
        let json = describe(&about, |_| false);
        assert_eq!(json["iterations"], u64::MAX.to_string());
    }

    #[test]
    fn the_page_never_turns_data_into_markup() {
        for (path, _, text) in FILES {
            for trap in
                ["innerHTML", "outerHTML", "insertAdjacent", "write(", "eval("]
            {
                assert!(!text.contains(trap), "{path} has {trap}");
            }
        }
    }

    #[actix_web::test]
    async fn an_unknown_path_is_not_repeated() {
        let (status, headers, body) = get("/%3Cscript%3E?%3Cscript%3E").await;
        assert_eq!(status, 404);
        assert_eq!(header(&headers, "x-content-type-options"), "nosniff");
        assert_eq!(
            header(&headers, "content-type"),
            "text/plain; charset=utf-8"
        );
        assert!(!body.contains("script"), "{body}");
    }
}
