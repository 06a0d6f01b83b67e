/// Server-sent events: the figures when they have changed, at most ten times a
/// second, and a comment now and then when they haven't. When the server stops,
/// they end with the last request.
pub fn events(requests: Data<Requests>) -> impl Responder {
    EventStream(try_unfold(String::new(), move |before| {
        let requests = requests.clone();
        async move {
            for _ in 0..50 {
                sleep(Duration::from_millis(100)).await;
                let figures = requests.figures();
                let now = serde_json::to_string(&figures)?;
                if now != before {
                    let event = format!("data: {now}\n\n");
                    return Ok(Some((event.into(), now)));
                }
                let stops = requests.stop.peek().is_some();
                if stops && figures.running.is_empty() {
                    return Ok(None);
                }
            }
            Ok(Some((": nothing new\n\n".into(), before)))
        }
    }))
}
