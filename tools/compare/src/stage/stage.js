"use strict";

// How many milliseconds are seen.
const SPAN = 15_000;
// A probe this late is drawn at full height.
const SLOWEST = 10_000;
// A probe that waits this long met a freeze, not a busy moment.
const FREEZE = 500;
const PROBE = "/non-blocking";
// Room for the names of rows, in em.
const NAMES = 5.5;
// Threads that have next to nothing to do: the last rows.
const SLEEPERS = new Set(["main", "signals", "accepts"]);
// At most this many threads of a name are drawn.
const MOST_STRIPS = 24;

const byKey = (key) => document.querySelector(`[data-key="${key}"]`);

// What the page holds; the tests read it.
const stage = {
  lanes: [],
  settings: {},
  solo: null,
  turns: false,
  guess: null,
  // The lanes stop moving when this moment reaches their left edge.
  held: Infinity,
  cleared: 0,
  // What the page's clock is ahead of the stage's.
  skew: Infinity,
  source: null,
  refused: "",
  heard: 0,
  // How long an answered request is kept.
  keeps: SPAN + 1000,
};
window.stage = stage;

const now = () => performance.now() - stage.skew;

function laneOf(about, number) {
  const root = element("lane").content.cloneNode(true).firstElementChild;
  element("lanes").append(root);
  const [step, title] = called(about.name);
  const button = root.querySelector("button");
  button.textContent = step ? `${step} ${title}` : title;
  button.addEventListener("click", () =>
    act(() => solo(stage.solo === number ? null : number)),
  );
  const canvas = root.querySelector("canvas");
  canvas.ariaLabel = `The last ${SPAN / 1000} seconds of ${button.textContent}:
    probes, requests and threads`;
  return {
    ...{ number, step, about, root },
    axis: new Axis(canvas),
    requests: new Map(),
    threads: new Map(),
    looked: null,
  };
}

// A lane's number is that of its step, whatever else is on the stage.
function called(name) {
  if (name === "two-workers") return [1, "two workers"];
  const [, kind, step, title] = /^(step|node)(\d)-(.*)$/.exec(name) ?? [];
  if (!kind) return [null, name];
  const words = title.replaceAll("-", " ");
  return [Number(step), kind === "node" ? `${words}, Node.js` : words];
}

// What a lane is now: what kind of state that is, and the words for it.
function stateOf(lane) {
  const { about, requests } = lane;
  if (stage.guess !== null) return { kind: "hidden", words: "?" };
  if (about.state !== "runs") {
    const kind = about.state === "starting" ? "starting" : "away";
    const words = [about.state, about.text].filter(Boolean).join(": ");
    return { kind, words };
  }
  const [probes, sent] = [[], []];
  for (const request of requests.values()) {
    (request.path === PROBE ? probes : sent).push(request);
  }
  const oldest = probes.find(({ end }) => end === undefined)?.at ?? Infinity;
  const wait = stage.heard - oldest;
  if (wait >= FREEZE) {
    const latest = probes.findLast(({ outcome }) => outcome === "ok")?.at ?? 0;
    // With two server threads, some connections are answered.
    const isPartly = stage.heard - latest < FREEZE;
    const spoken = isPartly
      ? "partly frozen"
      : wantsCore(lane)
        ? "no core"
        : "frozen";
    const words = `${spoken} for ${(wait / 1000).toFixed(1)} s`;
    return { kind: "frozen", words, spoken };
  }
  // What became of the requests of the last key.
  const latestAt = sent.at(-1)?.at;
  const last = sent.filter(({ at }) => at === latestAt && at > stage.cleared);
  const ends = countWays(last).filter(([way]) => !/done|waiting/.test(way));
  const texts = ends.map(([way, count]) =>
    last.length > 1 ? `${count} of ${last.length} ${way}` : way,
  );
  return { kind: "alive", words: ["alive", ...texts].join(", ") };
}

// Whether the server thread hardly ran lately, because the lane's other threads
// had the cores. (Step 1's own thread computes: it is frozen.)
function wantsCore({ threads }) {
  let [ran, waited, others] = [0, 0, 0];
  for (const { name, pieces } of threads.values()) {
    for (const piece of pieces) {
      if (piece.to < stage.heard - 2000) continue;
      if (name === "server") {
        ran += piece.ran;
        waited += piece.waited;
      } else {
        others += piece.ran + piece.waited;
      }
    }
  }
  return waited > 10 * ran && others > waited;
}

const WAYS = {
  ok: "done",
  503: "refused",
  cancelled: "cancelled",
  failed: "failed",
  undefined: "waiting",
};

// What became of requests, each way with how often.
function countWays(requests) {
  const counts = {};
  for (const { outcome } of requests) {
    const way = WAYS[outcome] ?? `failed (${outcome})`;
    counts[way] = (counts[way] ?? 0) + 1;
  }
  return Object.entries(counts);
}

const isShown = ({ number }) => [number, null].includes(stage.solo);

function show(lane) {
  const { kind, words, spoken = words } = stateOf(lane);
  const part = (name) => lane.root.querySelector(name);
  lane.root.hidden = !isShown(lane);
  part("button").ariaPressed = String(lane.number === stage.solo);
  setText(part(".state"), words);
  part(".state").className = `state ${kind}`;
  setText(part(".idea"), lane.about.idea ?? "");
  // For screen readers: changes only, not each tenth of a second.
  setText(part("[role=status]"), spoken);
}

const handlers = {
  hello(abouts, settings) {
    element("lanes").replaceChildren();
    stage.settings = settings;
    stage.lanes = abouts.map(laneOf);
    const chosen = stage.lanes.find((it) => hashOf(it) === location.hash);
    solo(chosen?.number ?? null);
  },
  about(number, about) {
    const lane = stage.lanes[number];
    lane.about = about;
    // A restarted server has other threads.
    if (about.state !== "runs") lane.looked = null;
  },
  request(number, id, path, at, end, outcome) {
    stage.lanes[number].requests.set(id, { path, at, end, outcome });
  },
  threads(number, at, threads) {
    const lane = stage.lanes[number];
    const from = lane.looked ?? at;
    lane.looked = at;
    for (const [id, name, ran, waited] of threads) {
      const thread = lane.threads.get(id) ?? { from, pieces: [] };
      thread.name = name;
      lane.threads.set(id, thread);
      thread.to = at;
      const last = thread.pieces.at(-1);
      if (last?.ran === ran && last.waited === waited) last.to = at;
      else thread.pieces.push({ from, to: at, ran, waited });
    }
  },
};

function listen() {
  const source = (stage.source = new EventSource("/events"));
  source.onmessage = (message) => {
    const [time, events] = JSON.parse(message.data);
    const skew = performance.now() - time;
    stage.heard = time;
    // The fastest message tells the difference of the clocks best. Another
    // stage has another clock, and a laptop may have slept.
    if (Math.abs(skew - stage.skew) > 1000) stage.skew = Infinity;
    stage.skew = Math.min(stage.skew + 1, skew);
    for (const [kind, ...rest] of events) handlers[kind]?.(...rest);
    forget();
  };
  // A page that is left may stay in the browser's cache for a minute, with its
  // connection; after six of them, no key would reach the stage.
  addEventListener("pagehide", () => source.close(), { once: true });
}

// The last moment that is seen: what the class guesses about waits for it.
const seenUntil = () => Math.min(now(), stage.held + SPAN);

function forget() {
  const [edge, until] = [now() - stage.keeps, seenUntil()];
  // While the lanes wait, what was seen stays.
  const isOld = (from, to) => to < edge && (to < stage.held || from > until);
  for (const { requests, threads } of stage.lanes) {
    for (const [id, { at, end }] of requests) {
      if (isOld(at, end)) requests.delete(id);
    }
    for (const [id, thread] of threads) {
      thread.pieces = thread.pieces.filter(({ from, to }) => !isOld(from, to));
      if (isOld(thread.to, thread.to)) threads.delete(id);
    }
  }
}

function solo(number) {
  stage.solo = number;
  history.replaceState(null, "", hashOf(stage.lanes[number]));
}

const hashOf = (lane) => `#${encodeURIComponent(lane?.about.name ?? "")}`;

// The lane of a step alone; again, the next lane of the same step.
function soloStep(step) {
  const lanes = stage.lanes.filter((lane) => lane.step === step);
  const at = lanes.findIndex(({ number }) => number === stage.solo);
  if (lanes.length) solo(lanes[(at + 1) % lanes.length].number);
  else stage.refused = `Step ${step} isn't on this stage.`;
}

function guess() {
  if (!stage.lanes.length) return;
  if (stage.guess === null) stage.guess = stage.held = now();
  else {
    if (now() < stage.held + SPAN) stage.held = Infinity;
    stage.guess = null;
  }
}

async function send(what) {
  const to = stage.solo ?? (stage.turns ? "turns" : "all");
  try {
    const answer = await fetch(`/send/${to}/${what}`, { method: "POST" });
    if (!answer.ok) stage.refused = `Not sent: ${answer.status}.`;
  } catch {
    stage.refused = "Not sent: the stage doesn't answer.";
  }
}

function burst() {
  const { about } = stage.lanes[stage.solo] ?? {};
  // It would leave no core for the browser if it went to all.
  if (!about) {
    stage.refused = "A burst goes to one lane: show one alone (1 to 9).";
  } else if (about.is_peer) {
    stage.refused = "A burst goes only to servers that the stage has started.";
  } else {
    send("burst");
  }
}

function request(path) {
  const { most } = stage.settings;
  if (
    stage.lanes.filter(isShown).every((lane) => requestsOf(lane).length >= most)
  ) {
    stage.refused = `${most} requests at most: cancel (c) or restart (n).`;
  }
  send(path);
}

// Those in flight.
const requestsOf = ({ requests }) =>
  [...requests.values()].filter(
    ({ path, end }) => path !== PROBE && end === undefined,
  );

function difference() {
  const { step, about } = stage.lanes[stage.solo ?? 1] ?? {};
  if (step > 1 && about.name.startsWith("step")) {
    location = `/difference.html#diff-${step - 1}-${step}`;
  } else {
    stage.refused = "This lane has no step before it.";
  }
}

const keys = {
  " ": () => request("blocking"),
  w: () => request("waiting"),
  x: () => request("failing"),
  b: burst,
  n: () => send("restart"),
  t: () => {
    stage.turns = !stage.turns;
  },
  c: () => send("cancel"),
  p: guess,
  r: () => {
    stage.cleared = Math.max(now(), stage.heard);
  },
  d: difference,
  m: () => location.assign("/moves.html"),
  f: () =>
    document.fullscreenElement
      ? document.exitFullscreen()
      : document.documentElement.requestFullscreen().catch(() => {}),
  0: () => {
    solo(null);
    stage.turns = false;
  },
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  "?": () =>
    element("help").open
      ? element("help").close()
      : element("help").showModal(),
};
for (let n = 1; n <= 9; n += 1) keys[n] = () => soloStep(n);

// From lane to lane, and between the last and the first to all.
function move(by) {
  const places = stage.lanes.length + 1;
  const place = ((stage.solo ?? -1) + 1 + by + places) % places;
  solo(place ? place - 1 : null);
}

function act(does) {
  stage.refused = "";
  if (stage.guess === null) stage.held = Infinity;
  does();
  frame();
}

addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
  if (!(event.key in keys)) return;
  // Space would also press the focused button.
  event.preventDefault();
  act(keys[event.key]);
});
for (const button of document.querySelectorAll("[data-key]")) {
  button.addEventListener("click", () => act(keys[button.dataset.key]));
}

function note() {
  // It tries again by itself.
  if (stage.source.readyState !== EventSource.OPEN || !stage.lanes.length) {
    return "The stage doesn't answer. Was it stopped? This page continues when it is back.";
  }
  if (stage.refused) return stage.refused;
  if (stage.guess !== null) return "What will happen? Press p to see.";
  if (stage.held < Infinity) return "The lanes wait for the next key.";
  const busy = stage.lanes.filter((lane) =>
    requestsOf(lane).some(({ path }) => path === "/blocking"),
  ).length;
  const { cores, interval, has_threads } = stage.settings;
  if (busy > 1) {
    return `${busy} lanes count at the same time and share ${cores} cores. For fair times, count in turns (t, then space).`;
  }
  const rows = has_threads
    ? ""
    : " This system doesn't report what threads do, so there are no rows for them.";
  return `A probe of /non-blocking every ${interval} ms, for ${SPAN / 1000} s. Press ? for the keys.${rows}`;
}

// Threads of a name, each on a strip. One that has ended leaves its strip to a
// later one.
function groupsOf(lane, from) {
  const groups = new Map();
  const threads = [...lane.threads.values()].filter(({ to }) => to > from);
  const hasServer = threads.some(({ name }) => name === "server");
  const server = hasServer ? "server" : "main";
  const isBusy = ({ to, ran, waited }) => to > from && ran + waited > 0.1;
  for (const thread of threads.sort((a, b) => a.from - b.from)) {
    const stem = thread.name.replace(/ \d+$/, "");
    const works = !SLEEPERS.has(stem) && thread.pieces.some(isBusy);
    // Shown alone, a lane has rows for threads that sleep, too.
    if (stage.solo === null && stem !== server && !works) continue;
    if (!groups.has(stem)) groups.set(stem, []);
    const strips = groups.get(stem);
    const free = strips.find((strip) => strip.at(-1).to <= thread.from);
    if (free) free.push(thread);
    else strips.push([thread]);
  }
  const rank = (stem) => (stem === server ? 0 : SLEEPERS.has(stem) ? 2 : 1);
  return [...groups].sort(([a], [b]) => rank(a) - rank(b));
}

function drawThreads(axis, groups, floor, from) {
  const { em, height } = axis;
  // However many threads a group has, the names of the others stay readable.
  const most = stage.solo === null ? 2 : 8;
  const weights = groups.map(([, strips]) => Math.min(strips.length, most));
  const sum = weights.reduce((a, b) => a + b, 0);
  const room = height - floor - 4;
  let top = floor + 2;
  groups.forEach(([stem, strips], n) => {
    const tall = (room * weights[n]) / sum;
    const drawn = strips.slice(0, MOST_STRIPS);
    const high = tall / drawn.length;
    drawn.forEach((threads, row) => {
      const y = top + row * high;
      for (const thread of threads) drawThread(axis, thread, y, high, from);
      if (high < 0.8 * em) return;
      nameRow(axis, threads.at(-1).name, y, high);
    });
    const name = strips.length > 1 ? `${strips.length} × ${stem}` : stem;
    if (high < 0.8 * em) nameRow(axis, name, top, tall);
    top += tall;
  });
}

// On a core, wanting one, asleep: each has a form as well as a colour.
function drawThread(axis, thread, top, high, from) {
  const foot = top + high - 1;
  axis.bar(Math.max(thread.from, from), thread.to, foot, 1, "soft");
  for (const piece of thread.pieces) {
    if (piece.to < from) continue;
    const start = Math.max(piece.from, from);
    const [ran, waited] = [piece.ran, piece.waited].map((share) =>
      share > 0.03 ? Math.max(share * (high - 1), 2) : 0,
    );
    const hatched = { form: "hatched" };
    axis.bar(start, piece.to, foot - ran, ran, "ink");
    axis.bar(start, piece.to, foot - ran - waited, waited, "wait", hatched);
  }
}

function nameRow(axis, name, top, high) {
  const size = Math.min(0.85, high / axis.em);
  axis.text(name, -0.2 * axis.em, top + high / 2, { size, weight: 600 });
}

function draw(lane, time) {
  const { axis } = lane;
  const start = time - SPAN;
  const from = Math.max(start, stage.cleared);
  axis.begin(start, time, NAMES, 0);
  const { em, width, height } = axis;

  // From the top: probes, requests, threads.
  const groups = groupsOf(lane, from);
  const strips = groups.flatMap((group) => group[1]).length;
  const floor = height - Math.min(strips * 1.3 * em, height * 0.46) - 2;
  const base = Math.max(floor - Math.max(em * 1.1, floor * 0.4), 8);
  // Where there is room, lines show how late.
  const scale = base > em * 5 ? [100, 1000, 10_000] : [];
  const top = scale.length ? em * 0.6 : 3;
  const above = (took) => {
    const share = Math.log10(Math.max(took, 1)) / Math.log10(SLOWEST);
    return base - 3 - (base - 3 - top) * Math.min(share, 1);
  };
  for (let ago = 0; ago < SPAN; ago += 5000) {
    axis.bar(time - ago, time - ago, 0, height, "line");
  }
  axis.bar(start, time, base, 1, "soft");
  for (const took of scale) {
    axis.bar(start, time, above(took), 1, "line");
    const look = { size: 0.7, place: "right", colour: "soft" };
    axis.text(Axis.duration(took), axis.left, above(took), look);
  }
  const foot = scale.length ? em : base;
  nameRow(axis, "probes", base - foot, foot);
  nameRow(axis, "requests", base, floor - base);

  const bars = [];
  for (const request of lane.requests.values()) {
    const { path, at, end = time, outcome } = request;
    if (end < from || at > time) continue;
    // What is hidden has no words, either.
    if (path !== PROBE && at < (stage.guess ?? time)) bars.push(request);
    else if (path === PROBE && at >= from)
      drawProbe(axis, at, end - at, outcome, base, above);
  }
  drawRequests(axis, bars, time, from, base, floor);
  drawThreads(axis, groups, floor, from);

  if (stage.guess !== null) {
    const left = Math.max(axis.x(stage.guess), axis.left);
    axis.bar(stage.guess, time, 0, height, "panel");
    const size = Math.min((height * 0.7) / em, 3);
    const x = Math.min((left + width) / 2, width - size * em);
    axis.text("?", x, height / 2, { size, weight: 700, place: "middle" });
  }
}

function drawProbe(axis, at, took, outcome, base, above) {
  const late = took > stage.settings.in_time;
  const tip = above(took);
  // A late one that was cancelled looks as if it still waited.
  if (!["ok", "cancelled", undefined].includes(outcome)) {
    const look = { weight: 700, place: "middle", colour: "wait" };
    axis.text("✕", axis.x(at), base - 0.4 * axis.em, look);
  } else if (outcome === "ok") {
    const [y, high] = late ? [tip, base - tip] : [base - 7, 4];
    axis.bar(at, at, y, high, late ? "wait" : "quick", { least: late ? 3 : 4 });
  } else if (late) {
    const look = { form: "dashed", least: 3 };
    axis.bar(at, at, tip, base - tip, "wait", look);
  }
}

// Each takes the first row that is free again.
function drawRequests(axis, bars, time, from, base, floor) {
  const { em } = axis;
  bars.sort((a, b) => a.at - b.at);
  const rows = [];
  for (const bar of bars) {
    let row = rows.findIndex((end) => end < bar.at);
    if (row < 0) row = rows.length;
    // A short one leaves room for what is written beside it.
    const room = bars.length < 10 ? SPAN / 2 : 0;
    rows[row] = (bar.end ?? Infinity) + room;
    bar.row = row;
  }
  const tall = Math.min(em * 1.3, (floor - base - 3) / (rows.length || 1));
  const thick = Math.max(tall - 1, 1);
  const isRead = thick > em * 0.7;
  for (const { path, at, end, outcome, row } of bars) {
    const took = Axis.duration((end ?? time) - at);
    const answer = { ok: "", failed: "✕" }[outcome] ?? outcome ?? "…";
    const words = [path, answer, took].filter(Boolean).join(" ");
    const look = { size: Math.min(0.9, thick / em), least: 2, beside: true };
    look.texts = isRead ? [words] : [];
    const good = outcome === "ok" || outcome === undefined;
    if (!good) look.form = "dashed";
    const span = [Math.max(at, from), end ?? time];
    const y = base + 2 + row * tall;
    axis.bar(...span, y, thick, good ? "sent" : "wait", look);
  }
  if (rows.length && !isRead) {
    // Beside the latest, where there is more room.
    const x = axis.x(bars.at(-1).at);
    const middle = (base + floor) / 2;
    const place = x > (axis.left + axis.width) / 2 ? "right" : "left";
    const words = countWays(bars).map(([way, count]) => `${count} ${way}`);
    axis.text(words.join(", "), x, middle, { place, ground: "panel" });
  }
}

function frame() {
  const time = seenUntil();
  document.body.classList.toggle("solo", stage.solo !== null);
  byKey("t").ariaPressed = String(stage.turns);
  byKey("p").ariaPressed = String(stage.guess !== null);
  for (const lane of stage.lanes) {
    show(lane);
    if (isShown(lane)) draw(lane, time);
  }
  setText(element("note"), note());
}

listen();
addEventListener("pageshow", ({ persisted }) => persisted && listen());
// The lanes move slowly: more frames would only take CPU time from the servers.
animate(frame, 66);
