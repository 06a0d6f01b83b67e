// Times are in milliseconds, as performance.now() gives them.

/** From one heartbeat to the next. */
const BEAT = 100;
/** A heartbeat that waits this long met a freeze, not a busy moment. */
const FREEZE = 300;
/** A heartbeat that waits this long is drawn at full height. */
const HIGHEST = 1000;
/** From one try to the next while no step answers. */
const RETRY = 1000;
/**
 * The shortest time from one drawing of the axis to the next: drawing must
 * leave the processor to the server.
 */
const FRAME = matchMedia("(prefers-reduced-motion: reduce)").matches
  ? 1000
  : 25;
/** How many requests can wait for a response: one per lane of the axis. */
const MOST_IN_FLIGHT = 3;
/** At most this many boxes show the pool's slots. */
const MOST_BOXES = 64;
/** How many requests are listed, the latest ones. */
const MOST_ROWS = 20;
/** How many names of a file are listed. */
const MOST_NAMES = 1000;
/** How many answered heartbeats are kept: ten minutes of them. */
const MOST_BEATS = 6000;

const element = (id) => document.getElementById(id);
const sleep = (time) => new Promise((done) => setTimeout(done, time));
/** Tells this page's requests from those of other tabs and of other users. */
const page = Math.random().toString(36).slice(2);

/** The answered heartbeats: start, end, and whether the server was away. */
const beats = [];
/** The requests sent by a button; end is null until there is a response. */
const sent = [];
/** When the unanswered heartbeat was sent, or null. */
let waiting = null;
/** How many times in a row the heartbeat failed. */
let failures = 0;
/** When the page last looked, and until when it knows that nothing came. */
const looks = [0, 0, 0];
let known = 0;
/** What the server says about itself; null while that isn't known. */
let step = null;
/** Whether this tab is the one that opens the stream of progress. */
let isFirstTab = false;
/** The stream, in that tab, and the latest event of it. */
let stream = null;
let latest = null;
/** How many requests the server refused, as far as this page knows. */
let refused = 0;
/** How many files wait until fewer requests are in flight. */
let queuedFiles = 0;
let asked = 0;
let answered = 0;
let worst = 0;

// ---------------------------------------------------------------- requests

/**
 * Sends a request. Throws if there is no response.
 *
 * Also returns when the browser sent it and when the response came: with all of
 * its six connections to a host in use, the browser holds a request back.
 */
async function ask(path, options, id = unique()) {
  const response = await fetch(`${path}?id=${id}`, {
    cache: "no-store",
    ...options,
  });
  const text = await response.text();
  const [timing] = performance.getEntriesByName(response.url, "resource");
  return { response, text, timing };
}

/**
 * Sends a request that is answered at once, unless the server thread is busy.
 *
 * It goes without credentials, and browsers use other connections for that. So
 * it never waits for one that a slow request in any tab has, and a heartbeat
 * that waits says something about the server.
 */
async function askQuickly(path) {
  const asked = await ask(path, { credentials: "omit" });
  if (asked.response.status !== 408) return asked;
  // On a busy machine the request didn't arrive in time. There is a server.
  return { ...(await askQuickly(path)), timing: null };
}

function unique() {
  // Browsers send requests for the same URL one at a time.
  return `${page}-${asked++}`;
}

async function heartbeat() {
  // Not counted: while the page is being built, the browser itself is slow.
  await answer();
  for (;;) {
    const start = now();
    waiting = start;
    const timing = await answer();
    waiting = null;
    answered += 1;
    const beat = {
      start: timing?.requestStart || start,
      end: timing?.responseStart || now(),
      away: isAway(),
    };
    beats.push(beat);
    if (beats.length > MOST_BEATS) beats.shift();
    if (!beat.away) worst = Math.max(worst, beat.end - beat.start);
    // The browser keeps 250. Those of requests in flight are still to be read.
    if (inFlight().length === 0) performance.clearResourceTimings();
    await sleep(start + BEAT - now());
  }
}

/**
 * Waits until the server has answered, however often it has to be asked.
 * Returns the browser's timing if once was enough.
 */
async function answer() {
  for (failures = 0; ; failures += 1) {
    // The second time at once: a server that was stopped may be back already.
    if (failures > 1) await sleep(RETRY);
    try {
      const { response, timing } = await askQuickly("/non-blocking");
      if (response.ok) return failures ? null : timing;
    } catch {
      // Counted.
    }
  }
}

function isAway() {
  return failures > 1;
}

async function send(path, file = null) {
  if (inFlight().length >= MOST_IN_FLIGHT) return;
  const request = { path, id: unique(), start: now(), end: null };
  const cancel = new AbortController();
  request.lane = freeLane();
  request.percent = null;
  sent.push(request);
  showInFlight();
  addRow(request, file, cancel);
  Object.assign(request, await result(request, file, cancel.signal));
  request.end = now();
  showInFlight();
  showResult(request);
}

async function result({ path, id, start }, file, signal) {
  const upload = file && {
    method: "POST",
    body: file,
    headers: { Accept: "application/json" },
  };
  try {
    const options = { signal, ...upload };
    const { response, text, timing } = await ask(path, options, id);
    const { ok } = response;
    const status = `${response.status} ${response.statusText}`.trim();
    // From step 6 on the server counts them itself.
    if (response.status === 503 && !has("/progress")) refused += 1;
    return {
      ok,
      status,
      answer: !ok
        ? [status, text].filter(Boolean).join(": ")
        : file
          ? showSummary(file, JSON.parse(text))
          : text,
      server: response.headers.get("Server-Timing"),
      start: timing?.requestStart || start,
      held: (timing?.requestStart || start) - start,
    };
  } catch {
    if (signal.aborted) return { status: "cancelled", answer: "Cancelled." };
    try {
      await file?.slice(0, 1).arrayBuffer();
    } catch {
      const answer = "It can't be read. Is it a folder?";
      return { status: "can't be read", answer };
    }
    const answer = "No response: the connection failed.";
    return { status: "no response", answer };
  }
}

/** Sends each file as soon as few enough requests are in flight. */
async function sendFile(file) {
  queuedFiles += 1;
  while (inFlight().length >= MOST_IN_FLIGHT) {
    showInFlight();
    await sleep(BEAT);
  }
  queuedFiles -= 1;
  send("/summary", file);
}

/** Shows the summary of a file. Returns how much that is, in words. */
function showSummary(file, { rows, names }) {
  const lines = names.slice(0, MOST_NAMES).map((summary) => {
    const { name, min, mean, max, count } = summary;
    const line = document.createElement("tr");
    const decimals = [min, mean, max].map((number) => number.toFixed(1));
    for (const text of [name, ...decimals, count.toLocaleString("en")]) {
      line.insertCell().textContent = text;
    }
    return line;
  });
  const table = element("summary");
  table.hidden = false;
  table.caption.textContent = file.name;
  table.tBodies[0].replaceChildren(...lines);
  return `${plural(rows, "row")}, ${plural(names.length, "name")}`;
}

function inFlight() {
  return sent.filter((request) => request.end === null);
}

function freeLane() {
  const taken = inFlight().map((request) => request.lane);
  return [0, 1, 2].find((lane) => !taken.includes(lane));
}

// -------------------------------------------------------- step and requests

function has(path) {
  return step?.routes.includes(path) ?? false;
}

/** Keeps showing which step answers, and its pool. */
async function keepShowingStep() {
  let shown = null;
  for (;;) {
    try {
      const { text } = await askQuickly("/page.json");
      if (text !== shown) showStep(JSON.parse(text));
      shown = text;
      if (has("/pool")) {
        showPool(JSON.parse((await askQuickly("/pool")).text));
      }
    } catch {
      // The next server on this port may be another step.
      step = shown = null;
    }
    await sleep(5 * BEAT);
  }
}

/** Shows whose page this is, and what only some of the steps have. */
function showStep(about) {
  step = about;
  const count = BigInt(step.iterations).toLocaleString("en");
  document.title = step.step;
  setText("step", step.step);
  setText("idea", step.idea);
  const threads = plural(step.threads, "thread");
  setText("settings", `/blocking counts to ${count} with ${threads}`);
  for (const path of ["/failing", "/summary"]) {
    button(path).hidden = !has(path);
  }
  refused = 0;
  openStream();
}

function button(path) {
  return document.querySelector(`button[data-path="${path}"]`);
}

function showInFlight() {
  const count = inFlight().length;
  const files = queuedFiles ? `, ${plural(queuedFiles, "file")} queued` : "";
  const text = `${count} of ${MOST_IN_FLIGHT} in flight${files}`;
  setText("in-flight", count === 0 ? "" : text);
  for (const button of document.querySelectorAll("#buttons button")) {
    // Not `disabled`, which would take the focus away from the keyboard.
    button.ariaDisabled = String(count >= MOST_IN_FLIGHT);
  }
}

function addRow(request, file, cancel) {
  const row = document.createElement("li");
  const name = file ? ` of ${file.name}` : "";
  addText(row, "request", `${sent.length}. ${request.path}${name}`);
  addText(row, "answer", "no response yet");
  if (has("/progress")) addProgress(row, cancel);
  element("log").prepend(row);
  element("log").children[MOST_ROWS]?.remove();
  request.row = row;
}

function showResult({ row, path, ok, answer, start, end, held, server }) {
  const focused = row.contains(document.activeElement);
  for (const part of row.querySelectorAll("progress, .left, button")) {
    part.remove();
  }
  if (focused) button(path).focus();
  row.className = ok ? "done" : "failed";
  row.querySelector(".answer").textContent = answer;
  addText(row, "time", `after ${short(end - start)}`);
  if (held >= FREEZE) {
    addText(row, "held", `the browser sent it ${short(held)} late`);
  }
  if (server) addText(row, "server", serverTiming(server));
}

function addText(parent, className, text) {
  const span = document.createElement("span");
  span.className = className;
  span.textContent = text;
  parent.append(span, " ");
  return span;
}

/** "count;dur=3021.5" as "Server-Timing: count 3.0 s". */
function serverTiming(header) {
  const duration = (_, time) => ` ${short(Number(time))}`;
  return `Server-Timing: ${header.replace(/;dur=([\d.]+)/g, duration)}`;
}

// ---------------------------------------------------------------- progress

/** What the tabs tell each other: the latest event, or null to ask for it. */
const tabs = new BroadcastChannel("progress");

/**
 * Only one visible tab opens the stream of progress, and tells the others: each
 * stream takes one of the browser's connections for as long as it's open.
 */
async function followProgress() {
  tabs.addEventListener("message", ({ data }) => {
    if (data) showProgress(data);
    else if (latest) tabs.postMessage(latest);
  });
  tabs.postMessage(null);
  for (;;) {
    await visibility("visible");
    await inTurn(async () => {
      isFirstTab = true;
      openStream();
      await visibility("hidden");
      isFirstTab = false;
      openStream();
    });
  }
}

/** Without TLS, browsers have locks for pages of their own machine only. */
function inTurn(work) {
  return navigator.locks ? navigator.locks.request("progress", work) : work();
}

async function visibility(state) {
  while (document.visibilityState !== state) {
    await new Promise((done) => {
      document.addEventListener("visibilitychange", done, { once: true });
    });
  }
}

/** Opens the stream of this step, or closes that of the step before. */
function openStream() {
  stream?.close();
  stream = latest = null;
  if (!isFirstTab || !has("/progress")) return;
  stream = new EventSource("/progress");
  stream.addEventListener("message", ({ data }) => {
    latest = data;
    tabs.postMessage(data);
    showProgress(data);
  });
}

function addProgress(row, cancel) {
  const bar = document.createElement("progress");
  const button = document.createElement("button");
  bar.ariaLabel = `Progress of request ${sent.length}`;
  button.type = "button";
  button.textContent = "Cancel";
  button.addEventListener("click", () => cancel.abort());
  row.append(bar, " ");
  // Screen readers don't read these out ten times a second.
  addText(row, "left", "").ariaLive = "off";
  row.append(button);
}

function showProgress(data) {
  const event = JSON.parse(data);
  refused = event.refused;
  for (const request of inFlight()) {
    const progress = event.running.find(({ id }) => id === request.id);
    const bar = request.row.querySelector("progress");
    if (progress && bar) showBar(request, bar, progress);
  }
}

function showBar(request, bar, { total, done, busy }) {
  bar.max = total;
  bar.value = done;
  request.percent = (100 * done) / (total || 1);
  // From when it was first seen to move: before that it waited.
  if (done) request.seen ??= { done, at: now() };
  const rate =
    request.seen && (done - request.seen.done) / (now() - request.seen.at);
  const awaited = isBlocking(request) ? "a thread" : "data or a thread";
  request.row.querySelector(".left").textContent =
    done === total
      ? "finishing"
      : !busy
        ? `waits for ${awaited}`
        : rate
          ? `about ${short((total - done) / rate)} left`
          : "starting";
}

/** The slots of the pool, what waits, and how many were refused. */
function showPool({ slots, admitted, queued, threads }) {
  const boxes = Math.min(slots, MOST_BOXES);
  const taken = Math.ceil((admitted * boxes) / slots);
  const list = Array.from({ length: boxes }, (_, i) => {
    const box = document.createElement("span");
    box.className = i < taken ? "taken" : "";
    return box;
  });
  element("slots").replaceChildren(...list);
  setText("admitted", `${admitted} of ${slots} slots taken`);
  setText("queued", `Jobs in the queue: ${queued}; threads: ${threads}.`);
  const hint = slots > MOST_IN_FLIGHT ? "To see a refusal: QUEUE=2" : "";
  setText("hint", refused ? "" : hint);
  const marks = "✕".repeat(Math.min(refused, 5));
  setText("refused", refused ? `${marks} ${refused} refused` : "");
}

// ------------------------------------------------------------------- state

/** What is seen now: its kind, in words, and in words without numbers. */
function state(time) {
  if (isAway() || (beats.length > 0 && !step)) {
    const text = "No step answers here. Start one, and this page continues.";
    return { kind: "unreachable", text };
  }
  if (wait(time) >= FREEZE) return stateFrozen(time);
  if (beats.length === 0) return { kind: "connecting", text: "Connecting …" };
  const running = inFlight().find(isBlocking) ?? inFlight()[0];
  if (running) return stateWhile(running, time);
  const last = sent.reduce((a, b) => (a && a.end > b.end ? a : b), null);
  return {
    kind: "answering",
    text: last
      ? verdict(last)
      : "The server answers at once. Now send /blocking.",
  };
}

/** How long the heartbeat has waited, as far as the page knows. */
function wait(time) {
  return waiting === null ? 0 : Math.max(0, knownUntil(time) - waiting);
}

function knownUntil(time) {
  return time - known > FREEZE ? known : time;
}

function isBlocking({ path }) {
  return path === "/blocking";
}

/** Only step 1 counts on the server thread: it has no worker that may fail. */
function canFreeze() {
  return step !== null && !has("/failing");
}

function stateFrozen(time) {
  const mine = inFlight().find(isBlocking);
  const [what, why] = !canFreeze()
    ? ["No response", "the server or machine may be too busy."]
    : mine && isFrozenBy(mine, time)
      ? ["Frozen", "the only server thread is counting."]
      : ["No response", "the only server thread may be counting."];
  return {
    kind: "frozen",
    text: `${what} for ${seconds(wait(time))}: ${why}`,
    spoken: `${what}: ${why}`,
  };
}

/**
 * Whether the server was frozen for most of a request's time. If for less, the
 * heartbeat has only met a busy moment of the machine.
 */
function isFrozenBy({ start, end }, time) {
  const until = end ?? time;
  const now = waiting === null ? [] : { start: waiting, end: knownUntil(time) };
  const frozen = beats
    .concat(now)
    .filter((beat) => !beat.away && beat.end - beat.start >= FREEZE)
    .map((beat) => Math.min(beat.end, until) - Math.max(beat.start, start))
    .filter((overlap) => overlap > 0)
    .reduce((sum, overlap) => sum + overlap, 0);
  return canFreeze() && frozen > (until - start) / 2;
}

function stateWhile(request, time) {
  const text = `Waiting for ${request.path}`;
  const count = countBeats(request, time);
  if (count < 2) return { kind: "answering", text: `${text} …` };
  const length = seconds(time - request.start);
  return {
    kind: "answering",
    text: `${text}: ${length}, ${count} heartbeats answered.`,
    spoken: `${text}; the heartbeat is answered.`,
  };
}

function verdict(request) {
  const { path, ok, status, start, end } = request;
  if (!ok) return `${path}: ${status}. The server still answers.`;
  const waits = beats
    .filter((beat) => !beat.away && beat.start < end && beat.end > start)
    .map((beat) => beat.end - beat.start);
  const longest = Math.max(0, ...waits);
  if (isFrozenBy(request, end)) {
    const others = "no other request was answered";
    return `It was frozen for ${short(longest)}: ${others}.`;
  }
  if (end - start < FREEZE) return `Done after ${short(end - start)}.`;
  const count = plural(countBeats(request, end), "heartbeat");
  const slowest = longest < FREEZE ? "" : `, one after ${short(longest)}`;
  return `Done after ${short(end - start)}: ${count} answered${slowest}.`;
}

/** How many heartbeats were answered while a request was in flight. */
function countBeats({ start }, end) {
  return beats.filter((beat) => beat.end > start && beat.end < end).length;
}

function showState() {
  const time = now();
  // After a pause, in a hidden page or on a busy machine, the response may have
  // come, but not be read yet. Three looks later it is.
  const paused = looks.some(
    (look, i) => (looks[i + 1] ?? time) - look > FREEZE,
  );
  known = paused ? looks[0] : time;
  looks.push(time);
  looks.shift();
  const { kind, text, spoken = text } = state(time);
  setText("state", text);
  element("state").className = kind;
  element("pool").hidden = kind === "unreachable" || !has("/pool");
  // For screen readers: changes only, not each tenth of a second.
  setText("announcement", spoken);

  const last = beats.at(-1);
  const current = kind === "frozen" ? wait(time) : 0;
  const isKnown = last && kind !== "unreachable";
  showWait("latest", isKnown ? current || last.end - last.start : null);
  showWait("worst", last ? Math.max(worst, current) : null);
  setText("answers", String(answered));
}

function showWait(id, time) {
  setText(id, time === null ? "–" : short(time));
  element(id).className = time >= FREEZE ? "waits" : "";
}

function plural(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function setText(id, text) {
  if (element(id).textContent !== text) element(id).textContent = text;
}

function now() {
  return performance.now();
}

/** A time that grows: its last digit must be readable. */
function seconds(time) {
  return `${(time / 1000).toFixed(1)} s`;
}

/** A time as people read it. */
function short(time) {
  if (time < 1) return "< 1 ms";
  return time < 999.5 ? `${time.toFixed()} ms` : seconds(time);
}

// -------------------------------------------------------------------- axis

function animate() {
  drawAxis(now());
  setTimeout(() => requestAnimationFrame(animate), FRAME);
}

/** What the functions that draw share: the pen, the measures, the colours. */
function canvas(time) {
  const axis = element("axis");
  const [width, height] = [axis.clientWidth, axis.clientHeight];
  const style = getComputedStyle(axis);
  const em = parseFloat(style.fontSize);
  const [w, h] = [width, height].map((side) =>
    Math.round(side * devicePixelRatio),
  );
  if (axis.width !== w || axis.height !== h) {
    axis.width = w;
    axis.height = h;
  }
  const pen = axis.getContext("2d");
  pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.textBaseline = "middle";

  const right = width - 0.8 * em;
  const seconds = Math.min(14, Math.max(6, Math.round(width / em / 6)));
  return {
    pen,
    em,
    width,
    right,
    seconds,
    x: (at) => right - ((time - at) / seconds / 1000) * right,
    colour: (name) => style.getPropertyValue(`--${name}`),
    font: (size, weight = 400) => {
      pen.font = `${weight} ${size * em}px ${style.fontFamily}`;
    },
  };
}

function drawAxis(time) {
  const on = canvas(time);
  drawGrid(on);
  for (const request of sent) drawRequest(on, request, time);
  for (const beat of beats) drawBeat(on, beat);
  if (waiting !== null) {
    const end = Math.max(waiting, knownUntil(time));
    drawBeat(on, { start: waiting, end, away: isAway() });
  }
}

/** Where things stand, in em from the top. */
const LANES = { top: 1.8, height: 1.5 };
const BEATS = { top: 8.3, bottom: 12.3 };

function drawGrid(on) {
  const { pen, em, right, seconds } = on;
  const bottom = BEATS.bottom * em;
  on.font(0.8);
  pen.textAlign = "center";
  for (let ago = 0; ago <= seconds; ago += 1) {
    const x = right - (ago / seconds) * right;
    pen.fillStyle = on.colour("line");
    pen.fillRect(x, 1.7 * em, 1, bottom + 4 - 1.7 * em);
    pen.fillStyle = on.colour("soft");
    if (ago > 0 && ago < seconds && ago % 2 === 0) {
      pen.fillText(`${ago} s ago`, x, 13.15 * em);
    }
  }
  pen.textAlign = "right";
  pen.fillText("now", right + 0.5 * em, 13.15 * em);
  pen.textAlign = "left";
  pen.fillText("what you send", 0.6 * em, 0.95 * em);
  const heartbeat = "heartbeat: /non-blocking, ten times a second";
  pen.fillText(heartbeat, 0.6 * em, 7.4 * em);
  pen.fillRect(0, bottom, on.width, 1);
}

function drawRequest(on, request, time) {
  const { pen, em } = on;
  const { path, start, end, lane, percent } = request;
  const from = on.x(start);
  const to = Math.max(on.x(end ?? time), from + 5);
  if (to < 0) return;
  const y = (LANES.top + lane * LANES.height) * em;
  const height = (LANES.height - 0.25) * em;
  const failed = end !== null && !request.ok;
  pen.fillStyle = on.colour(failed ? "wait" : "sent");
  pen.fillRect(from, y, to - from, height);

  const length = end === null ? seconds(time - start) : short(end - start);
  const far = end === null && percent !== null ? ` ${percent.toFixed()} %` : "";
  const text = `${failed ? "✕ " : ""}${path} ${length}${far}`;
  on.font(0.9, 700);
  pen.textAlign = "right";
  const width = pen.measureText(text).width + 0.9 * em;
  const fits = width < to - Math.max(0, from);
  // Beside a short bar, unless that would cover a later one.
  const latest = sent.findLast((other) => other.lane === lane);
  if (fits) pen.fillStyle = on.colour("on-colour");
  else if (latest !== request) return;
  pen.fillText(text, (fits ? to : from) - 0.45 * em, y + 0.55 * height);
}

function drawBeat(on, { start, end, away }) {
  const { pen, em } = on;
  const from = on.x(start);
  const to = Math.max(on.x(end), from + 0.2 * em);
  if (to < 0) return;
  const wait = end - start;
  const most = BEATS.bottom - BEATS.top;
  const share = away ? 0.5 : Math.min(1, wait / HIGHEST);
  const height = em * (0.5 + (most - 0.5) * share);
  const y = BEATS.bottom * em - height;
  const quick = wait < FREEZE;
  pen.fillStyle = on.colour(away ? "line" : quick ? "quick" : "wait");
  pen.fillRect(from, y, to - from, height);
  if (quick) return;
  const text = away ? "no step" : seconds(wait);
  const left = Math.max(0, from);
  on.font(1.5, 700);
  if (pen.measureText(text).width + 0.8 * em > to - left) return;
  pen.fillStyle = on.colour(away ? "ink" : "on-colour");
  pen.textAlign = "center";
  pen.fillText(text, (left + to) / 2, y + height / 2);
}

// ------------------------------------------------------------------- start

for (const button of document.querySelectorAll("#buttons button")) {
  const { path } = button.dataset;
  button.addEventListener("click", () => {
    if (path === "/summary") element("file").click();
    else send(path);
  });
}
element("file").addEventListener("change", ({ target }) => {
  for (const file of target.files) sendFile(file);
  target.value = "";
});
// A file that is dropped anywhere on the page.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (!has("/summary")) return;
  for (const file of event.dataTransfer.files) sendFile(file);
});
heartbeat();
keepShowingStep();
followProgress();
setInterval(showState, BEAT);
animate();
