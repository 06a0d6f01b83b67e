use std::{
    env,
    io::{BufRead, BufReader, Write},
    mem,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Output, PATIENCE, locked, missing, wait_until};

/// A tab of a Chromium without a window, driven over the DevTools protocol
/// (<https://chromedevtools.github.io/devtools-protocol/>).
///
/// All tabs of a test program belong to one Chromium, which has a new, empty
/// profile and ends with its last tab. No tab sees what another has stored.
/// Every failure panics: this is for tests.
pub struct Browser {
    messages: Receiver<Value>,
    session: Value,
    context: Value,
    errors: Vec<String>,
    // Dropped last: it may be the last owner.
    program: Arc<Program>,
}

/// A running Chromium. It reads requests from a pipe and writes messages,
/// which are replies and events, to another; a zero byte ends each.
struct Program {
    process: Child,
    requests: Mutex<ChildStdin>,
    calls: AtomicU64,
    tabs: Tabs,
    stderr: Output,
    // Dropped last: the browser writes to it until it has ended.
    _profile: TempDir,
}

/// The tabs, each of which gets all messages and picks out its own; none once
/// the browser has ended.
type Tabs = Arc<Mutex<Option<Vec<Sender<Value>>>>>;

impl Program {
    fn run(program: &Path) -> Self {
        let profile = tempfile::tempdir().expect("a directory can be made");
        // It uses descriptors 3 and 4 for its pipes.
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"])
            .arg(program)
            .args([
                "--headless",
                "--no-startup-window",
                "--remote-debugging-pipe",
                "--disable-gpu",
                "--disable-quic",
                "--disable-sync",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-dev-shm-usage",
                "--disable-features=SpareRendererForSitePerProcess",
                "--no-first-run",
                "--no-default-browser-check",
                "--no-proxy-server",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()));
        #[cfg(unix)]
        if rustix::process::geteuid().is_root() {
            // Otherwise it refuses to run as root.
            command.arg("--no-sandbox");
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("can't run {}: {e}", program.display()));
        let requests = process.stdin.take().expect("it is piped").into();
        let messages = process.stdout.take().expect("it is piped");
        let stderr = Output::collect(process.stderr.take());
        let tabs: Tabs = Arc::new(Mutex::new(Some(Vec::new())));
        let shared = tabs.clone();
        thread::spawn(move || hand_out(messages, &shared));
        let calls = AtomicU64::new(1);
        Self { process, requests, calls, tabs, stderr, _profile: profile }
    }

    /// Sends a request. Returns the number that its reply will have.
    fn send(&self, session: &Value, method: &str, parameters: Value) -> u64 {
        let id = self.calls.fetch_add(1, Relaxed);
        let mut request =
            json!({"id": id, "method": method, "params": parameters});
        if !session.is_null() {
            request["sessionId"] = session.clone();
        }
        let mut requests = locked(&self.requests);
        // A browser that has ended doesn't reply: that's where it's noticed.
        requests.write_all(format!("{request}\0").as_bytes()).ok();
        id
    }
}

/// Gives each message to all tabs, until the browser has ended.
fn hand_out(messages: ChildStdout, tabs: &Tabs) {
    for message in BufReader::new(messages).split(0).map_while(Result::ok) {
        // The last one may be cut off.
        let Ok(message) = serde_json::from_slice::<Value>(&message) else {
            break;
        };
        if let Some(tabs) = &mut *locked(tabs) {
            tabs.retain(|tab| tab.send(message.clone()).is_ok());
        }
    }
    *locked(tabs) = None;
}

impl Drop for Program {
    fn drop(&mut self) {
        // Ask it first, so that it ends its own processes too.
        self.send(&Value::Null, "Browser.close", json!({}));
        let ended = wait_until(Duration::from_secs(5), || {
            !matches!(self.process.try_wait(), Ok(None))
        });
        if !ended {
            self.process.kill().ok();
            self.process.wait().ok();
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.program.send(&self.session, "Page.close", json!({}));
    }
}

impl Browser {
    /// Opens a tab of the browser named by the variable `CHROME`, or else of
    /// one of the usual browsers on this system.
    ///
    /// Returns nothing if there is none, and prints that on standard error: the
    /// test is skipped then.
    ///
    /// # Panics
    /// When there is none and `REQUIRE_BROWSER` is `1`, and when it doesn't
    /// start.
    pub fn start() -> Option<Self> {
        static RUNNING: Mutex<Weak<Program>> = Mutex::new(Weak::new());
        let found = find()?;
        let mut running = locked(&RUNNING);
        let run = || Arc::new(Program::run(&found));
        let program = running.upgrade();
        let program = program.filter(|it| locked(&it.tabs).is_some());
        let program = program.unwrap_or_else(run);
        *running = Arc::downgrade(&program);
        Some(Self::open_tab(program, Value::Null))
    }

    /// Opens another tab next to this one. The two share the browser's storage
    /// and connections.
    pub fn tab(&self) -> Self {
        Self::open_tab(self.program.clone(), self.context.clone())
    }

    /// In its own context unless one is given.
    fn open_tab(program: Arc<Program>, context: Value) -> Self {
        let (sender, messages) = channel();
        if let Some(tabs) = &mut *locked(&program.tabs) {
            tabs.push(sender);
        }
        let (session, errors) = (Value::Null, Vec::new());
        let mut tab = Self { messages, session, context, errors, program };
        if tab.context.is_null() {
            let context = tab.call("Target.createBrowserContext", json!({}));
            tab.context = context["browserContextId"].clone();
        }
        let target = tab.call(
            "Target.createTarget",
            json!({"url": "about:blank", "browserContextId": tab.context}),
        );
        let attached = tab.call(
            "Target.attachToTarget",
            json!({"targetId": target["targetId"], "flatten": true}),
        );
        tab.session = attached["sessionId"].clone();
        for domain in ["Page", "Runtime", "Log"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        // As if it were in front of all the others.
        let focus = json!({"enabled": true});
        tab.call("Emulation.setFocusEmulationEnabled", focus);
        tab
    }

    /// Goes to a page and waits until it's loaded.
    pub fn open(&mut self, url: &str) {
        let answer = self.call("Page.navigate", json!({ "url": url }));
        assert_eq!(answer["errorText"], Value::Null, "{url}");
        self.wait_for("document.readyState == 'complete'");
    }

    /// Runs JavaScript in each page opened from now on, before the page's own.
    pub fn before_scripts(&mut self, script: &str) {
        self.call(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": script }),
        );
    }

    /// The value of a JavaScript expression in the page.
    ///
    /// # Panics
    /// When it throws.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let value = self.try_evaluate(expression);
        value.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    fn try_evaluate(&mut self, expression: &str) -> Result<Value, String> {
        let answer = self.try_call(
            "Runtime.evaluate",
            json!({
                "expression": expression,
                "awaitPromise": true,
                "returnByValue": true,
            }),
        )?;
        match &answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].clone()),
            exception => Err(exception.to_string()),
        }
    }

    /// Waits until a JavaScript expression is true. While it throws, or the
    /// page is being replaced by another one, it isn't true yet.
    ///
    /// # Panics
    /// When it isn't true within a minute; the message contains the page's
    /// text.
    pub fn wait_for(&mut self, expression: &str) {
        let mut last = Ok(Value::Null);
        let is_true = wait_until(PATIENCE, || {
            last = self.try_evaluate(expression);
            last == Ok(true.into())
        });
        if !is_true {
            let text = self.try_evaluate("document.body?.innerText");
            panic!("never true: {expression}\nlast: {last:?}\npage: {text:?}");
        }
    }

    /// Presses and releases a key: `Tab`, `Enter`, `Escape`, an arrow as in
    /// `ArrowRight`, or a character.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, ""),
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "ArrowLeft" => (37, ""),
            "ArrowUp" => (38, ""),
            "ArrowRight" => (39, ""),
            "ArrowDown" => (40, ""),
            _ => match key.as_bytes() {
                [byte] => (byte.to_ascii_uppercase().into(), key),
                _ => panic!("{key}: this doesn't know that key"),
            },
        };
        for what in ["keyDown", "keyUp"] {
            let event = json!({
                "type": what,
                "key": key,
                "code": if text == key { "" } else { key },
                "text": if what == "keyDown" { text } else { "" },
                "windowsVirtualKeyCode": code,
            });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Clicks in the middle of the first element that matches a CSS selector,
    /// as a mouse does: on the topmost element there.
    pub fn click(&mut self, selector: &str) {
        let middle = self.evaluate(&format!(
            "(() => {{
                const box = document.querySelector({})
                    .getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()",
            json!(selector),
        ));
        for what in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": what,
                "x": middle[0],
                "y": middle[1],
                "button": "left",
                "clickCount": 1,
            });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Drops a file or a folder in the middle of the page, as a mouse does.
    pub fn drop_file(&mut self, path: &Path) {
        let data = json!({
            "items": [],
            "files": [path.to_str()],
            "dragOperationsMask": 1,
        });
        for what in ["dragEnter", "dragOver", "drop"] {
            let event = json!({"type": what, "x": 200, "y": 200, "data": data});
            self.call("Input.dispatchDragEvent", event);
        }
    }

    /// Sets the tab's size in CSS pixels, and its light or dark theme.
    pub fn look(&mut self, width: u32, height: u32, scheme: &str) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({
                "width": width,
                "height": height,
                "deviceScaleFactor": 1,
                "mobile": false,
            }),
        );
        let scheme = json!({"name": "prefers-color-scheme", "value": scheme});
        self.call("Emulation.setEmulatedMedia", json!({"features": [scheme]}));
    }

    /// Requests reduced motion, until the next [`Browser::look`].
    pub fn little_motion(&mut self) {
        let less = json!({"name": "prefers-reduced-motion", "value": "reduce"});
        self.call("Emulation.setEmulatedMedia", json!({"features": [less]}));
    }

    /// The contrast of two colours, given as their custom properties' names, as
    /// WCAG defines it: from 1 to 21.
    pub fn contrast(&mut self, text: &str, ground: &str) -> f64 {
        let contrast = self.evaluate(&format!(
            "(() => {{
                const style = getComputedStyle(document.documentElement);
                const luminance = (name) => {{
                    const colour = style.getPropertyValue(name);
                    const [r, g, b] = colour.match(/\\d+/g).map((it) =>
                        it < 10 ? it / 3294.6 : ((it / 255 + 0.055) / 1.055) ** 2.4);
                    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
                }};
                const ratio = luminance('--{text}') / luminance('--{ground}');
                return Math.max(ratio, 1 / ratio);
            }})()"
        ));
        contrast.as_f64().expect("it is a number")
    }

    /// Writes a screenshot to a file, in the format of its extension: `png` or
    /// `webp`. Its directory is created if missing.
    pub fn screenshot(&mut self, file: impl AsRef<Path>) {
        let file = file.as_ref();
        let format = file.extension().and_then(|it| it.to_str());
        let answer =
            self.call("Page.captureScreenshot", json!({ "format": format }));
        let data = answer["data"].as_str().expect("a screenshot has data");
        let picture = BASE64_STANDARD.decode(data).expect("it is base64");
        let directory = file.parent().expect("a file is in a directory");
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(file, picture))
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }

    /// The console's errors since the last call, and uncaught exceptions.
    pub fn console_errors(&mut self) -> Vec<String> {
        // Everything that happened before this is reported before its response.
        self.evaluate("0");
        mem::take(&mut self.errors)
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        let answer = self.try_call(method, parameters);
        answer.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Calls a method of the protocol and waits for its result.
    fn try_call(
        &mut self,
        method: &str,
        parameters: Value,
    ) -> Result<Value, String> {
        let id = self.program.send(&self.session, method, parameters);
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left);
            let message = message.unwrap_or_else(|e| {
                panic!("{method}: no reply, {e}: {}", self.program.stderr.all())
            });
            if message["id"] == id {
                return match &message["error"] {
                    Value::Null => Ok(message["result"].clone()),
                    error => Err(error.to_string()),
                };
            }
            if message["sessionId"] == self.session {
                self.note(&message);
            }
        }
    }

    /// Remembers an event if it is an error.
    fn note(&mut self, event: &Value) {
        let parameters = &event["params"];
        let error = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => &parameters["exceptionDetails"],
            Some("Runtime.consoleAPICalled")
                if parameters["type"] == "error" =>
            {
                &parameters["args"]
            }
            Some("Log.entryAdded")
                if parameters["entry"]["level"] == "error" =>
            {
                &parameters["entry"]
            }
            _ => return,
        };
        self.errors.push(error.to_string());
    }
}

/// The browser to drive. If there is none, prints that.
fn find() -> Option<PathBuf> {
    let named = env::var_os("CHROME").filter(|name| !name.is_empty());
    let found = named.map(PathBuf::from).or_else(installed);
    // On Windows, a shell can't give it its pipes.
    let found = found.filter(|_| cfg!(unix));
    if found.is_none() {
        missing(
            "REQUIRE_BROWSER",
            "the page isn't tested: there is no Chromium, Chrome or Edge here; \
             install one, or name one in the variable CHROME (on Windows, no \
             test uses a browser)",
        );
    }
    found
}

fn installed() -> Option<PathBuf> {
    let named = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
    ];
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path)
        .flat_map(|directory| named.map(|name| directory.join(name)));
    let applications = [
        "Google Chrome.app/Contents/MacOS/Google Chrome",
        "Chromium.app/Contents/MacOS/Chromium",
        "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    ];
    let on_macos =
        applications.map(|name| Path::new("/Applications").join(name));
    on_path.chain(on_macos).find(|program| program.is_file())
}
