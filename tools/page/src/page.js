// Times are in milliseconds, as performance.now() has them.

/** From one heartbeat to the next. */
const BEAT = 100;
/** A heartbeat that waits so long has met a freeze, not a busy moment. */
const FREEZE = 300;
/** A heartbeat that waits so long is drawn as high as they get. */
const HIGHEST = 1000;
/** From one try to the next while the server can't be reached. */
const RETRY = 1000;
/**
 * The least from one picture of the axis to the next: drawing must leave the
 * processor to the server. And the same for those who want little motion.
 */
const FRAME = 25;
const CALM_FRAME = 1000;
/**
 * How many requests can be sent before one is answered. Browsers open about
 * six connections to a host: with all in use the heartbeat would wait for one,
 * and that would look like a freeze of the server.
 */
const MOST_IN_FLIGHT = 3;
/** How many boxes stand for the places of the pool, at most. */
const MOST_BOXES = 64;
/** How many requests are listed, the latest ones. */
const MOST_ROWS = 20;
/** How many names of a file are listed. */
const MOST_NAMES = 1000;
/** How many answered heartbeats are remembered: ten minutes of them. */
const MOST_BEATS = 6000;

const element = (id) => document.getElementById(id);
const sleep = (time) => new Promise((done) => setTimeout(done, time));
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** The answered heartbeats: start, end, and whether the server was away. */
const beats = [];
/** The requests that were sent by a button; end is null until the answer. */
const sent = [];
/** When the heartbeat was sent that isn't answered yet, or null. */
let waiting = null;
/** How often in a row the server couldn't be reached. */
let failures = 0;
/** What the server says of itself; null when that has to be asked (again). */
let step = null;
/** The stream that tells how far requests are, in a step that has it. */
let progress = null;
/** How many requests the server has refused, and was seen to refuse. */
let refused = 0;
let asked = 0;
let answered = 0;
let worst = 0;

// ---------------------------------------------------------------- requests

/** Asks the server. Throws when it can't be reached. */
async function ask(path, query = unique(), signal = null, file = null) {
  const url = `${path}?${query}`;
  const options = { cache: "no-store", signal };
  if (file) {
    const headers = { Accept: "application/json" };
    Object.assign(options, { method: "POST", body: file, headers });
  }
  const response = await fetch(url, options);
  return { response, text: await response.text() };
}

function unique() {
  // Browsers queue requests for the same URL one behind the other.
  return `id=${performance.timeOrigin.toFixed()}-${asked++}`;
}

async function heartbeat() {
  // Not counted: while the page is being built the browser itself is slow.
  await answer("/non-blocking");
  for (;;) {
    const start = now();
    waiting = start;
    await answer("/non-blocking");
    const end = now();
    beatAnswered({ start, end, away: isAway() });
    await sleep(start + BEAT - end);
  }
}

/** Waits until the server has answered, however often it has to be asked. */
async function answer(path) {
  while (!(await answers(path))) {
    failures += 1;
    // The first time at once: a server that was frozen may have closed a
    // connection that it thought idle.
    await sleep(failures === 1 ? 0 : RETRY);
  }
}

async function answers(path) {
  try {
    if (!step) {
      step = JSON.parse((await ask("/page.json")).text);
      showStep();
    }
    // A server that was frozen may find that the request came too slowly.
    return (await ask(path)).response.ok;
  } catch {
    // Whoever answers next may be another step.
    step = null;
    return false;
  }
}

function beatAnswered(beat) {
  waiting = null;
  failures = 0;
  answered += 1;
  beats.push(beat);
  if (beats.length > MOST_BEATS) beats.shift();
  if (!beat.away) worst = Math.max(worst, beat.end - beat.start);
}

function isAway() {
  return failures > 1;
}

async function send(path, file = null) {
  if (inFlight().length >= MOST_IN_FLIGHT) return;
  const request = { path, start: now(), end: null, lane: freeLane() };
  request.query = unique();
  request.percent = null;
  const cancel = new AbortController();
  sent.push(request);
  showInFlight();
  const row = addRow(request);
  if (progress) addProgress(row, request, cancel);
  try {
    const { response, text } = await ask(
      path,
      request.query,
      cancel.signal,
      file,
    );
    request.ok = response.ok;
    request.status = `${response.status} ${response.statusText}`.trim();
    request.answer = response.ok
      ? file
        ? showSummary(JSON.parse(text))
        : text
      : [request.status, text].filter(Boolean).join(": ");
    request.timing = response.headers.get("Server-Timing");
    // From step 6 on the server counts them itself.
    if (response.status === 503 && !progress) refused += 1;
  } catch {
    request.ok = false;
    const { aborted } = cancel.signal;
    request.status = aborted ? "cancelled" : "no answer";
    request.answer = aborted
      ? "Cancelled: the server stops the work."
      : "No answer: the server went away.";
  }
  request.end = now();
  showInFlight();
  showAnswer(row, request);
}

/** Shows what a file comes to. Returns how much that is, in words. */
function showSummary({ rows, names }) {
  const lines = names.slice(0, MOST_NAMES).map((it) => {
    const { name, min, mean, max, count } = it;
    const line = document.createElement("tr");
    const decimals = [min, mean, max].map((number) => number.toFixed(1));
    for (const text of [name, ...decimals, count.toLocaleString("en")]) {
      line.insertCell().textContent = text;
    }
    return line;
  });
  element("summary").hidden = false;
  element("summary").tBodies[0].replaceChildren(...lines);
  return `${rows.toLocaleString("en")} rows, ${names.length} names`;
}

function inFlight() {
  return sent.filter((request) => request.end === null);
}

function freeLane() {
  const taken = inFlight().map((request) => request.lane);
  return [0, 1, 2].find((lane) => !taken.includes(lane));
}

// -------------------------------------------------------- step and requests

/** Shows whose page this is, and what only some of the steps have. */
function showStep() {
  const count = BigInt(step.iterations).toLocaleString("en");
  const threads = step.threads === 1 ? "1 thread" : `${step.threads} threads`;
  document.title = step.step;
  element("step").textContent = step.step;
  element("idea").textContent = step.idea;
  element("settings").textContent = `/blocking counts to ${count} with ${threads}`;
  for (const path of ["/failing", "/summary"]) {
    button(path).hidden = !step.routes.includes(path);
  }
  refused = 0;
  element("pool").hidden = !step.routes.includes("/pool");
  followProgress(step.routes.includes("/progress"));
}

function button(path) {
  return document.querySelector(`button[data-path="${path}"]`);
}

function showInFlight() {
  const count = inFlight().length;
  element("in-flight").textContent =
    count === 0 ? "" : `${count} in flight, at most ${MOST_IN_FLIGHT}`;
  for (const button of document.querySelectorAll("#buttons button")) {
    // Not `disabled`, which would take the focus away from the keyboard.
    button.ariaDisabled = String(count >= MOST_IN_FLIGHT);
  }
}

function addRow(request) {
  const row = document.createElement("li");
  addText(row, "request", `${sent.length}. ${request.path}`);
  addText(row, "answer", "no answer yet");
  element("log").prepend(row);
  element("log").children[MOST_ROWS]?.remove();
  return row;
}

function showAnswer(row, request) {
  removeProgress(row, request);
  row.className = request.ok ? "done" : "failed";
  row.querySelector(".answer").textContent = request.answer;
  addText(row, "time", `after ${short(request.end - request.start)}`);
  if (request.timing) addText(row, "server", serverTiming(request.timing));
}

function addText(parent, className, text) {
  const span = document.createElement("span");
  span.className = className;
  span.textContent = text;
  parent.append(span, " ");
}

/** "count;dur=3021.5" as "Server-Timing: count 3.02 s". */
function serverTiming(header) {
  const metrics = header.split(",").map((metric) => {
    const [name, ...parameters] = metric.split(";").map((it) => it.trim());
    const dur = parameters.find((it) => it.startsWith("dur="));
    return dur ? `${name} ${short(Number(dur.slice(4)))}` : name;
  });
  return `Server-Timing: ${metrics.join(", ")}`;
}

/** Opens the stream that tells how far requests are, or closes it. */
function followProgress(has) {
  const open = progress && progress.readyState !== EventSource.CLOSED;
  if (has && open) return;
  progress?.close();
  progress = has ? new EventSource("/progress") : null;
  progress?.addEventListener("message", ({ data }) => {
    const figures = JSON.parse(data);
    refused = figures.refused;
    showProgress(figures.running);
  });
}

function addProgress(row, request, cancel) {
  const bar = document.createElement("progress");
  const button = document.createElement("button");
  bar.ariaLabel = `Progress of request ${sent.length}`;
  button.type = "button";
  button.textContent = "Cancel";
  button.addEventListener("click", () => cancel.abort());
  row.append(bar, " ");
  addText(row, "left", "waits for a thread");
  // A screen reader isn't told ten times a second.
  row.querySelector(".left").ariaLive = "off";
  row.append(button);
  addText(row, "shares", "");
  row.querySelector(".shares").ariaLive = "off";
  request.row = row;
}

function showProgress(running) {
  for (const request of inFlight()) {
    const { row, query } = request;
    const it = running.find(({ id }) => query === `id=${id}`);
    if (!row || !it) continue;
    const bar = row.querySelector("progress");
    bar.max = it.total;
    bar.value = it.done;
    request.percent = it.total ? (100 * it.done) / it.total : 100;
    // From when it was first seen to count: before that it waited.
    const seen = (request.seen ??= it.done ? { ...it, at: now() } : undefined);
    const rate = seen && (it.done - seen.done) / (now() - seen.at);
    // Those that workers on other machines have.
    const shares = Object.entries(it.shares ?? {});
    row.querySelector(".shares").textContent = shares.map(ofShare).join("\n");
    row.querySelector(".left").textContent = !it.busy && !shares.length
      ? "waits for a thread"
      : rate
        ? `${short((it.total - it.done) / rate)} left`
        : "begins";
  }
}

function ofShare([number, { size, done, worker }]) {
  return `Share ${number}: ${worker}, ${Math.floor((100 * done) / size)} %`;
}

function removeProgress(row, { path }) {
  const focused = row.contains(document.activeElement);
  for (const part of row.querySelectorAll("progress, .left, .shares, button")) {
    part.remove();
  }
  if (focused) button(path).focus();
}

/** The places of the pool, what waits, and who was refused. */
async function showPool() {
  if (element("pool").hidden) return;
  let figures;
  try {
    figures = JSON.parse((await ask("/pool")).text);
  } catch {
    return; // The heartbeat says so.
  }
  const { slots, admitted, queued, threads, workers, shares } = figures;
  const boxes = Math.min(slots, MOST_BOXES);
  const taken = Math.ceil((admitted * boxes) / slots);
  const list = element("places");
  while (list.children.length > boxes) list.lastChild.remove();
  while (list.children.length < boxes) {
    list.append(document.createElement("span"));
  }
  [...list.children].forEach((box, i) => {
    box.className = i < taken ? "taken" : "";
  });
  setText("admitted", `${admitted} of ${slots} slots taken`);
  const jobs = queued === 1 ? "1 job waits" : `${queued} jobs wait`;
  const hint = slots > MOST_IN_FLIGHT ? " To see a refusal: QUEUE=2" : "";
  const who = workers
    ? `Shares in the queue: ${shares}; workers there: ${workers.length}.`
    : `${jobs} for ${threads} threads.`;
  setText("queued", refused ? who : who + hint);
  const marks = "✕".repeat(Math.min(refused, 5));
  setText("refused", refused ? `${marks} ${refused} refused` : "");
}

async function keepShowingPool() {
  for (;;) {
    await showPool();
    await sleep(5 * BEAT);
  }
}

// ------------------------------------------------------------------- state

/** What is being seen: its kind, in words, and in words without figures. */
function state(time) {
  const wait = waiting === null ? 0 : time - waiting;
  const counting = inFlight().filter(({ path }) => path === "/blocking");
  if (isAway()) {
    return {
      kind: "unreachable",
      text: "No server: start a step, and this page goes on by itself.",
    };
  }
  if (beats.length === 0 && wait < FREEZE) {
    return { kind: "connecting", text: "Connecting …" };
  }
  if (wait >= FREEZE) return stateFrozen(counting[0], wait, time);
  const [running = inFlight()[0]] = counting;
  if (running) return stateWhile(running, time);
  const last = sent.reduce((a, b) => (a && a.end > b.end ? a : b), null);
  return {
    kind: "answering",
    text: last
      ? verdict(last)
      : "The server answers at once. Now press the blue button.",
  };
}

function stateFrozen(request, wait, time) {
  const [what, why] = !request
    ? ["No answer", "something keeps the only server thread busy."]
    : isFrozenBy(request, time)
      ? ["Frozen", "the only server thread is counting."]
      : ["No answer", "the machine is too busy."];
  return {
    kind: "frozen",
    text: `${what} for ${seconds(wait)}: ${why}`,
    spoken: `${what}: ${why}`,
  };
}

/**
 * Whether the server was frozen for most of a request's time. If for less, the
 * heartbeat has only met a busy moment of the machine.
 */
function isFrozenBy({ start, end }, time) {
  const until = end ?? time;
  const frozen = [...beats, { start: waiting ?? time, end: time }]
    .filter((beat) => !beat.away && beat.end - beat.start >= FREEZE)
    .map((beat) => Math.min(beat.end, until) - Math.max(beat.start, start))
    .filter((overlap) => overlap > 0)
    .reduce((sum, overlap) => sum + overlap, 0);
  return frozen > (until - start) / 2;
}

function stateWhile(request, time) {
  const meanwhile = beatsDuring(request, time);
  const others = { "/waiting": "Waiting", "/summary": "Summarising" };
  const doing = others[request.path] ?? "Counting";
  const spoken = `${doing}, and the heartbeat is answered meanwhile.`;
  return meanwhile < 2
    ? { kind: "answering", text: `${doing} …` }
    : {
        kind: "answering",
        text: `${doing} for ${seconds(time - request.start)}: \
${meanwhile} heartbeats answered meanwhile.`,
        spoken,
      };
}

function verdict(request) {
  const { path, ok, status, start, end } = request;
  if (!ok) return `${path}: ${status}. The server still answers.`;
  return isFrozenBy(request, end)
    ? `It was frozen for ${short(longestWait(request))}: \
nobody else got an answer.`
    : `Done after ${short(end - start)}: \
${beatsDuring(request, end)} heartbeats answered meanwhile.`;
}

function beatsDuring({ start }, end) {
  return beats.filter((beat) => beat.end > start && beat.end < end).length;
}

function longestWait({ start, end }) {
  const waits = beats
    .filter((beat) => !beat.away && beat.start < end && beat.end > start)
    .map((beat) => beat.end - beat.start);
  return Math.max(0, ...waits);
}

function showState() {
  const time = now();
  const { kind, text, spoken = text } = state(time);
  setText("state", text);
  element("state").className = kind;
  // A screen reader is told of a change, not of each tenth of a second.
  setText("announcement", spoken);

  const wait = waiting === null ? 0 : time - waiting;
  const last = beats.at(-1);
  const frozen = kind === "frozen";
  if (last || frozen) {
    const latest = frozen ? seconds(wait) : short(last.end - last.start);
    setText("latest", kind === "unreachable" ? "–" : latest);
    setText("worst", frozen && wait > worst ? seconds(wait) : short(worst));
  }
  setText("answers", String(answered));
  element("latest").className = frozen ? "waits" : "";
  element("worst").className = worst >= FREEZE || frozen ? "waits" : "";
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
  return time < 999.5
    ? `${time.toFixed()} ms`
    : seconds(time);
}

// -------------------------------------------------------------------- axis

function animate() {
  drawAxis(now());
  const pause = calm.matches ? CALM_FRAME : FRAME;
  setTimeout(() => requestAnimationFrame(animate), pause);
}

/** What the functions that draw share: the pen, the measures, the colours. */
function canvas(time) {
  const axis = element("axis");
  const [width, height] = [axis.clientWidth, axis.clientHeight];
  const style = getComputedStyle(axis);
  const em = parseFloat(style.fontSize);
  const [w, h] = [width, height].map((it) =>
    Math.round(it * devicePixelRatio),
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
    drawBeat(on, { start: waiting, end: time, away: isAway() });
  }
}

/** Where things stand, in em from the top. */
const LANES = { top: 1.8, height: 1.5 };
const BEATS = { top: 8.3, bottom: 12.3 };

function drawGrid(on) {
  const { pen, em, right, seconds } = on;
  on.font(0.8);
  pen.lineWidth = 1;
  pen.strokeStyle = on.colour("line");
  pen.fillStyle = on.colour("soft");
  pen.textAlign = "center";
  for (let ago = 0; ago <= seconds; ago += 1) {
    const x = right - (ago / seconds) * right;
    line(pen, x, 1.7 * em, x, BEATS.bottom * em + 4);
    if (ago > 0 && ago < seconds && ago % 2 === 0) {
      pen.fillText(`${ago} s ago`, x, 13.15 * em);
    }
  }
  pen.textAlign = "right";
  pen.fillText("now", right + 0.5 * em, 13.15 * em);
  pen.textAlign = "left";
  pen.fillText("what you send", 0.6 * em, 0.95 * em);
  pen.fillText(
    "heartbeat: /non-blocking, ten times a second",
    0.6 * em,
    7.4 * em,
  );
  pen.strokeStyle = on.colour("soft");
  line(pen, 0, BEATS.bottom * em, on.width, BEATS.bottom * em);
}

function drawRequest(on, request, time) {
  const { pen, em } = on;
  const from = on.x(request.start);
  const to = Math.max(on.x(request.end ?? time), from + 5);
  if (to < 0) return;
  const y = (LANES.top + request.lane * LANES.height) * em;
  const height = (LANES.height - 0.25) * em;
  const failed = request.end !== null && !request.ok;
  pen.fillStyle = on.colour(failed ? "wait" : "sent");
  bar(pen, from, y, to - from, height, 0.25 * em);

  const length =
    request.end === null
      ? seconds(time - request.start)
      : short(request.end - request.start);
  const percent =
    request.end === null && request.percent !== null
      ? ` ${request.percent.toFixed()} %`
      : "";
  const text = `${failed ? "✕ " : ""}${request.path} ${length}${percent}`;
  on.font(0.9, 700);
  const room = to - Math.max(0, from);
  const middle = y + height / 2 + 0.07 * em;
  const gap = 0.45 * em;
  const width = pen.measureText(text).width;
  if (width + 2 * gap < room) {
    pen.fillStyle = on.colour("on-colour");
    pen.textAlign = "right";
    pen.fillText(text, to - gap, middle);
  } else if (from > 0) {
    // Beside it: before it while it grows, behind it when that has room.
    const before = request.end === null || to + gap + width > on.width;
    pen.textAlign = before ? "right" : "left";
    pen.fillText(text, before ? from - gap : to + gap, middle);
  }
}

function drawBeat(on, { start, end, away }) {
  const { pen, em } = on;
  const from = on.x(start);
  const to = Math.max(on.x(end), from + 0.2 * em);
  if (to < 0) return;
  const wait = end - start;
  const most = BEATS.bottom - BEATS.top;
  const height = em * (0.5 + (most - 0.5) * Math.min(1, wait / HIGHEST));
  const y = BEATS.bottom * em - height;
  if (away) {
    drawAway(on, from, to);
  } else if (wait < FREEZE) {
    pen.fillStyle = on.colour("quick");
    bar(pen, from, y, to - from, height, 0.1 * em);
  } else {
    drawFreeze(on, from, to, y, height, seconds(wait));
  }
}

function drawFreeze(on, from, to, y, height, text) {
  const { pen, em } = on;
  pen.save();
  pen.beginPath();
  pen.rect(from, y, to - from, height);
  pen.clip();
  pen.fillStyle = on.colour("wait");
  pen.fillRect(from, y, to - from, height);
  pen.strokeStyle = on.colour("on-colour");
  pen.globalAlpha = 0.45;
  pen.lineWidth = 0.12 * em;
  const gap = 0.75 * em;
  const first = from - height + Math.max(0, Math.floor(-from / gap)) * gap;
  for (let x = first; x < to; x += gap) {
    line(pen, x, y + height, x + height, y);
  }
  pen.restore();
  label(on, text, Math.max(0, from), to, y + height / 2);
}

function drawAway(on, from, to) {
  const { pen, em } = on;
  const [y, height] = [(BEATS.bottom - 3) * em, 2.2 * em];
  pen.save();
  pen.strokeStyle = on.colour("soft");
  pen.setLineDash([0.4 * em, 0.3 * em]);
  pen.lineWidth = 0.1 * em;
  pen.strokeRect(from, y, to - from, height);
  pen.restore();
  pen.fillStyle = on.colour("soft");
  on.font(0.9, 700);
  pen.textAlign = "center";
  if (to - Math.max(0, from) > 6 * em) {
    pen.fillText("no server", (Math.max(0, from) + to) / 2, y + height / 2);
  }
}

/** Words on a freeze: on a plain ground, so that they can be read. */
function label(on, text, from, to, middle) {
  const { pen, em } = on;
  on.font(1.5, 700);
  const width = pen.measureText(text).width + 0.8 * em;
  if (width > to - from) return;
  const centre = (from + to) / 2;
  pen.fillStyle = on.colour("wait");
  pen.fillRect(centre - width / 2, middle - 1.1 * em, width, 2.2 * em);
  pen.fillStyle = on.colour("on-colour");
  pen.textAlign = "center";
  pen.fillText(text, centre, middle);
}

function bar(pen, x, y, width, height, radius) {
  pen.beginPath();
  pen.roundRect(x, y, width, height, radius);
  pen.fill();
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
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
  for (const file of target.files) send("/summary", file);
  target.value = "";
});
// A file that is dropped anywhere on the page.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (!step?.routes.includes("/summary")) return;
  for (const file of event.dataTransfer.files) send("/summary", file);
});
heartbeat();
keepShowingPool();
setInterval(showState, BEAT);
animate();
