// Times are in milliseconds, as performance.now() gives them.

/** From one heartbeat to the next. */
const BEAT = 100;
/** A heartbeat that waits this long hit a freeze, not a busy moment. */
const FREEZE = 300;
/** A heartbeat that waits this long is drawn at full height. */
const HIGHEST = 1000;
/** From one try to the next while no step answers. */
const RETRY = 1000;
/** From one drawing of the axis to the next. */
const FRAME = 40;
/** How many requests can wait for a response: one per lane of the axis. */
const MOST_IN_FLIGHT = 3;
/** At most this many boxes show the pool's slots. */
const MOST_BOXES = 64;
/** How many requests are listed, the latest ones. */
const MOST_ROWS = 20;
/** How many names of a file are listed. */
const MOST_NAMES = 1000;
/** How many answered heartbeats are kept: ten minutes' worth. */
const MOST_BEATS = 6000;

const { duration, plural } = Axis;
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
/** What the server reports about itself; null while that isn't known. */
let step = null;
/** The stream of progress, while this page is seen. */
let stream = null;
/** How many requests the server has refused, as far as this page knows. */
let refused = 0;
/** The files that wait until fewer requests are in flight. */
const files = [];
let asked = 0;
let answered = 0;
let worst = 0;
/** When this step was first shown. */
let since = 0;

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
 * It goes without credentials, and browsers use separate connections for that.
 * So it never waits for a connection that a slow request in any tab has, and a
 * heartbeat that waits tells something about the server.
 */
async function askQuickly(path) {
  const asked = await ask(path, { credentials: "omit" });
  if (asked.response.status !== 408) return asked;
  // On a busy machine the request arrived too late. But there is a server.
  return { ...(await askQuickly(path)), timing: null };
}

function unique() {
  // Browsers send requests for the same URL one at a time.
  return `${page}-${asked++}`;
}

async function heartbeat() {
  // Not counted: while the page is loading, the browser itself is slow.
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
    // The browser keeps 250. Requests in flight still need theirs.
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
  sendFiles();
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

/** Sends files in order, each as soon as there is room for it. */
function sendFiles(more = []) {
  files.push(...more);
  while (files.length > 0 && inFlight().length < MOST_IN_FLIGHT) {
    send("/summary", files.shift());
  }
  showInFlight();
}

/** Shows the summary of a file. Returns its size in words. */
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

/** Shows which step this is, and what only some of the steps have. */
function showStep(about) {
  step = about;
  const count = BigInt(step.iterations).toLocaleString("en");
  if (document.title !== step.step) {
    // Another step's waits and results say nothing about this one.
    worst = 0;
    since = now();
  }
  document.title = step.step;
  setText(element("step"), step.step);
  setText(element("idea"), step.idea);
  const threads = plural(step.threads, "thread");
  setText(element("settings"), `/blocking counts to ${count} with ${threads}`);
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
  const { length } = files;
  const queued = length ? `, ${plural(length, "file")} queued` : "";
  const text = `${count} of ${MOST_IN_FLIGHT} in flight${queued}`;
  setText(element("in-flight"), count === 0 ? "" : text);
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
  addText(row, "time", `after ${duration(end - start)}`);
  if (held >= FREEZE) {
    addText(row, "held", `the browser sent it ${duration(held)} late`);
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
  const took = (_, time) => ` ${duration(Number(time))}`;
  return `Server-Timing: ${header.replace(/;dur=([\d.]+)/g, took)}`;
}

// ---------------------------------------------------------------- progress

/**
 * Opens this step's stream, and closes that of the step before. Each takes one
 * of the browser's connections, so a page that isn't seen has none.
 */
function openStream() {
  stream?.close();
  stream = null;
  if (document.hidden || !has("/progress")) return;
  stream = new EventSource("/progress");
  stream.addEventListener("message", ({ data }) => {
    showProgress(JSON.parse(data));
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

function showProgress(event) {
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
  // Since it was first seen to move: before that it waited.
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
          ? `about ${duration((total - done) / rate)} left`
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
  setText(element("admitted"), `${admitted} of ${slots} slots taken`);
  setText(
    element("queued"),
    `Jobs in the queue: ${queued}; threads: ${threads}.`,
  );
  const hint = slots > MOST_IN_FLIGHT ? "To see a refusal: QUEUE=2" : "";
  setText(element("hint"), refused ? "" : hint);
  const marks = "✕".repeat(Math.min(refused, 5));
  setText(element("refused"), refused ? `${marks} ${refused} refused` : "");
}

// ------------------------------------------------------------------- state

/** What is shown now: its kind, in words, and in words without numbers. */
function state(time) {
  if (isAway() || (beats.length > 0 && !step)) {
    const text = "No step is running here. Start one, and this page continues.";
    return { kind: "away", text };
  }
  if (wait(time) >= FREEZE) return stateFrozen(time);
  if (beats.length === 0) return { kind: "starting", text: "Connecting …" };
  const running = inFlight().find(isBlocking) ?? inFlight()[0];
  if (running) return stateWhile(running, time);
  const last = sent
    .filter((request) => request.end > since)
    .reduce((a, b) => (a && a.end > b.end ? a : b), null);
  return {
    kind: "alive",
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
  if (count < 2) return { kind: "alive", text: `${text} …` };
  const length = seconds(time - request.start);
  return {
    kind: "alive",
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
    return `It was frozen for ${duration(longest)}: ${others}.`;
  }
  if (end - start < FREEZE) return `Done after ${duration(end - start)}.`;
  const count = plural(countBeats(request, end), "heartbeat");
  const slowest = longest < FREEZE ? "" : `, one after ${duration(longest)}`;
  return `Done after ${duration(end - start)}: ${count} answered${slowest}.`;
}

/** How many heartbeats were answered while a request was in flight. */
function countBeats({ start }, end) {
  return beats.filter((beat) => beat.end > start && beat.end < end).length;
}

function showState() {
  const time = now();
  // After a pause, in a hidden page or on a busy machine, the response may have
  // come without being read yet. Three looks later it is.
  const paused = looks.some(
    (look, i) => (looks[i + 1] ?? time) - look > FREEZE,
  );
  known = paused ? looks[0] : time;
  looks.push(time);
  looks.shift();
  const { kind, text, spoken = text } = state(time);
  setText(element("state"), text);
  element("state").className = `state ${kind}`;
  element("pool").hidden = kind === "away" || !has("/pool");
  // For screen readers: changes only, not each tenth of a second.
  setText(element("announcement"), spoken);

  const last = beats.at(-1);
  const current = kind === "frozen" ? wait(time) : 0;
  const isKnown = last && kind !== "away";
  showWait("latest", isKnown ? current || last.end - last.start : null);
  showWait("worst", last ? Math.max(worst, current) : null);
  setText(element("answers"), String(answered));
}

function showWait(id, time) {
  setText(element(id), time === null ? "–" : duration(time));
  element(id).className = time >= FREEZE ? "waits" : "";
}

function now() {
  return performance.now();
}

/** A growing time: its last digit must be readable. */
function seconds(time) {
  return `${(time / 1000).toFixed(1)} s`;
}

// -------------------------------------------------------------------- axis

const axis = new Axis(element("axis"));

/** Where everything is, in em from the top. */
const LANES = { top: 1.8, height: 1.5 };
const BEATS = { top: 8.3, bottom: 12.3 };
const LABELS = 13.15;

function drawAxis() {
  const time = now();
  const { em } = axis;
  const wide = Math.round(axis.canvas.clientWidth / em / 6);
  const span = 1000 * Math.min(14, Math.max(6, wide));
  axis.begin(time - span, time, 0, 0.8);
  drawGrid(time, span, em);
  for (const request of sent) drawRequest(request, time, em);
  for (const beat of beats) drawBeat(beat, em);
  if (waiting !== null) {
    const end = Math.max(waiting, knownUntil(time));
    drawBeat({ start: waiting, end, away: isAway() }, em);
  }
}

function drawGrid(time, span, em) {
  const look = { size: 0.8, colour: "soft" };
  const [top, bottom] = [1.7 * em, BEATS.bottom * em];
  for (let ago = 0; ago <= span; ago += 1000) {
    const at = time - ago;
    axis.bar(at, at, top, bottom + 4 - top, "line");
    if (ago > 0 && ago < span && ago % 2000 === 0) {
      const label = { ...look, place: "middle" };
      axis.text(`${ago / 1000} s ago`, axis.x(at), LABELS * em, label);
    }
  }
  axis.text("now", axis.width, LABELS * em, { ...look, place: "right" });
  axis.text("what you send", 0, 0.95 * em, look);
  const heartbeat = "heartbeat: /non-blocking, ten times a second";
  axis.text(heartbeat, 0, 7.4 * em, look);
  axis.bar(time - span, time, bottom, 1, "soft");
}

function drawRequest(request, time, em) {
  const { path, start, end, lane, percent } = request;
  const top = (LANES.top + lane * LANES.height) * em;
  const height = (LANES.height - 0.25) * em;
  const failed = end !== null && !request.ok;
  const length = end === null ? seconds(time - start) : duration(end - start);
  const far = end === null && percent !== null ? ` ${percent.toFixed()} %` : "";
  axis.bar(start, end ?? time, top, height, failed ? "wait" : "sent", {
    texts: [`${failed ? "✕ " : ""}${path} ${length}${far}`],
    place: "right",
    weight: 700,
    least: 5,
    // Unless that would cover a later one.
    beside: sent.findLast((other) => other.lane === lane) === request,
  });
}

function drawBeat({ start, end, away }, em) {
  const wait = end - start;
  const most = BEATS.bottom - BEATS.top;
  const share = away ? 0.5 : Math.min(1, wait / HIGHEST);
  const height = em * (0.5 + (most - 0.5) * share);
  const quick = wait < FREEZE;
  const colour = away ? "line" : quick ? "quick" : "wait";
  axis.bar(start, end, BEATS.bottom * em - height, height, colour, {
    texts: quick ? [] : [away ? "no step" : seconds(wait)],
    place: "middle",
    size: 1.5,
    weight: 700,
    least: 0.2 * em,
  });
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
  sendFiles(target.files);
  target.value = "";
});
// A file that is dropped anywhere on the page.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (has("/summary")) sendFiles(event.dataTransfer.files);
});
heartbeat();
keepShowingStep();
document.addEventListener("visibilitychange", openStream);
setInterval(showState, BEAT);
animate(drawAxis, FRAME);
