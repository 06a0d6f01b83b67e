"use strict";

// How many milliseconds are seen.
const SPAN = 15_000;
const SLOWEST = 10_000;
const PROBE = "/non-blocking";

const byId = (id) => document.getElementById(id);
const byKey = (key) => document.querySelector(`[data-key="${key}"]`);
const still = matchMedia("(prefers-reduced-motion: reduce)");

// What the page holds; the tests read it.
const stage = {
  lanes: [],
  settings: {},
  solo: null,
  turns: false,
  guess: null,
  cleared: 0,
  skew: null,
  connected: false,
  refused: "",
  heard: 0,
  // How long an answered request is kept.
  keeps: SPAN + 1000,
};
window.stage = stage;

const now = () => performance.now() - (stage.skew ?? 0);

function laneOf(about, number) {
  const root = document.createElement("section");
  root.className = "lane";
  const side = document.createElement("div");
  const title = document.createElement("h2");
  const idea = document.createElement("p");
  const state = document.createElement("p");
  state.className = "state";
  const canvas = document.createElement("canvas");
  side.append(title, idea, state);
  root.append(side, canvas);
  side.addEventListener("click", () =>
    solo(stage.solo === number ? null : number),
  );
  byId("lanes").append(root);
  const lane = {
    number,
    about,
    root,
    title,
    idea,
    state,
    canvas,
    requests: new Map(),
    threads: [],
  };
  show(lane);
  return lane;
}

const states = { away: "no answer:", ended: "ended:", starting: "starting" };

function show(lane) {
  const { name, idea, state, text } = lane.about;
  lane.title.textContent = `${lane.number + 1}  ${name.replace(/^step(\d+)-/, "step $1 ")}`;
  lane.title.title = name;
  lane.idea.textContent = idea ?? "";
  lane.state.textContent =
    state == "runs" ? "" : `${states[state] ?? state} ${text ?? ""}`;
}

const handlers = {
  hello(abouts, settings) {
    byId("lanes").replaceChildren();
    stage.settings = settings;
    stage.lanes = abouts.map(laneOf);
    solo(stage.lanes[stage.solo] ? stage.solo : null);
  },
  about(number, about) {
    const lane = stage.lanes[number];
    lane.about = about;
    show(lane);
  },
  sent(number, id, path, at) {
    stage.lanes[number].requests.set(id, { path, at });
  },
  done(number, id, path, at, end, outcome, text) {
    stage.lanes[number].requests.set(id, { path, at, end, outcome, text });
  },
  threads(number, at, threads) {
    stage.lanes[number].threads.push({ at, threads });
  },
};

function listen() {
  const source = new EventSource("/events");
  source.onmessage = (message) => {
    stage.connected = true;
    const [time, events] = JSON.parse(message.data);
    const skew = performance.now() - time;
    stage.heard = time;
    // The fastest message tells the difference of the clocks best.
    stage.skew =
      stage.skew === null || Math.abs(skew - stage.skew) > 1000
        ? skew
        : Math.min(stage.skew + 1, skew);
    for (const [kind, ...rest] of events) handlers[kind]?.(...rest);
    forget();
  };
  // It tries again by itself.
  source.onerror = () => {
    stage.connected = false;
  };
}

function forget() {
  const edge = now() - stage.keeps;
  for (const lane of stage.lanes) {
    for (const [id, request] of lane.requests) {
      if (request.end !== undefined && request.end < edge) {
        lane.requests.delete(id);
      }
    }
    while (lane.threads.length && lane.threads[0].at < edge) {
      lane.threads.shift();
    }
  }
}

function solo(number) {
  if (number !== null && stage.lanes.length && !stage.lanes[number]) {
    stage.refused = `there is no lane ${number + 1}`;
    return;
  }
  stage.solo = number;
  document.body.classList.toggle("solo", stage.solo !== null);
  for (const lane of stage.lanes) {
    lane.root.hidden = stage.solo !== null && lane.number != stage.solo;
  }
  const hash = stage.solo === null ? "#" : `#${stage.solo + 1}`;
  history.replaceState(null, "", hash);
}

function inTurns(yes) {
  stage.turns = yes;
  pressed("t", yes);
}

function guess(since) {
  stage.guess = since;
  pressed("p", since !== null);
}

function pressed(key, yes) {
  byKey(key).setAttribute("aria-pressed", yes);
}

async function send(what) {
  const to = stage.solo ?? (stage.turns ? "turns" : "all");
  try {
    const answer = await fetch(`/send/${to}/${what}`, { method: "POST" });
    // What was said of a later key stays.
    if (!answer.ok) stage.refused = `not sent: ${answer.status}`;
  } catch {
    stage.refused = "not sent: the stage doesn't answer";
  }
}

function difference() {
  const lane = stage.lanes[stage.solo ?? 1];
  const number = Number(/^step(\d+)-/.exec(lane?.about.name ?? "")?.[1] ?? 0);
  if (number > 1) {
    location = `/difference.html#diff-${number - 1}-${number}`;
  } else {
    stage.refused = "this lane has no step before it";
  }
}

const keys = {
  " ": () => send("blocking"),
  w: () => send("waiting"),
  x: () => send("failing"),
  b: () => send("burst"),
  t: () => inTurns(!stage.turns),
  c: () => send("cancel"),
  p: () => guess(stage.guess === null ? now() : null),
  r: () => {
    stage.cleared = Math.max(now(), stage.heard);
  },
  d: difference,
  f: () =>
    document.fullscreenElement
      ? document.exitFullscreen()
      : document.documentElement.requestFullscreen().catch(() => {}),
  0: () => {
    solo(null);
    inTurns(false);
  },
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  "?": () =>
    byId("help").open ? byId("help").close() : byId("help").showModal(),
};
for (let n = 1; n <= 9; n += 1) keys[n] = () => solo(n - 1);

// From lane to lane, and between the last and the first to all.
function move(by) {
  const places = stage.lanes.length + 1;
  const place = ((stage.solo ?? -1) + 1 + by + places) % places;
  solo(place ? place - 1 : null);
}

function act(key) {
  stage.refused = "";
  keys[key]();
}

addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.repeat) return;
  if (!(event.key in keys)) return;
  // Space would press the button that has the focus as well.
  event.preventDefault();
  act(event.key);
});
for (const button of document.querySelectorAll("[data-key]")) {
  button.addEventListener("click", () => act(button.dataset.key));
}

function note() {
  if (!stage.connected) {
    return "The stage doesn't answer. Was it stopped? This page goes on when it is back.";
  }
  if (stage.refused) return stage.refused;
  if (stage.guess !== null) return "What will happen? Press p to see.";
  const busy = stage.lanes.filter((lane) =>
    [...lane.requests.values()].some(
      (it) => it.path == "/blocking" && it.end === undefined,
    ),
  ).length;
  const { cores, interval } = stage.settings;
  if (busy > 1) {
    return `${busy} lanes count at the same time and share ${cores} cores: times are fair only one after the other (t, then space).`;
  }
  return `A probe of /non-blocking every ${interval} ms; ${SPAN / 1000} s are seen. Press ? for the keys.`;
}

const milliseconds = (ms) =>
  ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;

const outcomes = {
  ok: "",
  refused: "503",
  failed: "✕",
  cancelled: "cancelled",
};

// Of bars that are too thin for a text each: how many ended in which way.
function summary(bars) {
  const counts = {};
  for (const { path, outcome } of bars) {
    const way = `${path} ${outcomes[outcome] ?? "…"}`.trim();
    counts[way] = (counts[way] ?? 0) + 1;
  }
  return Object.entries(counts)
    .map(([way, count]) => (count > 1 ? `${count} × ${way}` : way))
    .join(", ");
}

function draw(lane, colours, size) {
  const { canvas } = lane;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  const ratio = devicePixelRatio;
  if (
    canvas.width != Math.round(width * ratio) ||
    canvas.height != Math.round(height * ratio)
  ) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const time = now();
  const start = time - SPAN;
  const from = Math.max(start, stage.cleared);
  const x = (at) => ((at - start) / SPAN) * width;

  // From the top: probes, requests, threads.
  const threads = (lane.threads.at(-1)?.threads ?? []).slice(0, 12);
  const thin = Math.min(size, (height * 0.3) / Math.max(threads.length, 4));
  const floor = height - thin * threads.length - 2;
  const base = Math.max(floor - Math.max(size * 1.2, floor * 0.45), 8);
  // Where there is room, lines say how late.
  const scale =
    base > size * 6
      ? Object.entries({ 100: "100 ms", 1000: "1 s", 10_000: "10 s" })
      : [];
  const top = scale.length ? size * 0.6 : 5;
  const above = (took) =>
    base -
    3 -
    (base - 3 - top) *
      Math.min(Math.log10(Math.max(took, 1)) / Math.log10(SLOWEST), 1);
  // On the lane's own ground, so that it is read over whatever is there.
  const write = (text, left, bottom, high) => {
    context.font = `${high}px system-ui`;
    const wide = context.measureText(text).width;
    context.fillStyle = colours.panel;
    context.fillRect(left - 2, bottom - high * 0.85, wide + 4, high * 1.05);
    context.fillStyle = colours.ink;
    context.fillText(text, left, bottom);
  };

  context.fillStyle = colours.line;
  context.fillRect(0, base, width, 1);
  for (const [took] of scale) context.fillRect(0, above(took), width, 1);
  const bars = [];
  for (const request of lane.requests.values()) {
    const end = request.end ?? time;
    if (end < from) continue;
    if (request.path != PROBE) {
      bars.push(request);
      continue;
    }
    if (request.at < from) continue;
    const left = x(request.at);
    const took = end - request.at;
    const tip = above(took);
    context.fillStyle = context.strokeStyle = colours.wait;
    if (request.end === undefined) {
      if (took < stage.settings.in_time) continue;
      context.setLineDash([2, 2]);
      context.beginPath();
      context.moveTo(left, base);
      context.lineTo(left, tip);
      context.stroke();
      context.setLineDash([]);
    } else if (request.outcome != "ok") {
      context.font = `bold ${size}px system-ui`;
      context.fillText("✕", left - size / 3, base - 3);
    } else if (took > stage.settings.in_time) {
      context.fillRect(left - 1.5, tip, 3, base - tip);
    } else {
      context.fillStyle = colours.quick;
      context.beginPath();
      context.arc(left, base - 5, 2.5, 0, 7);
      context.fill();
    }
  }

  // Each bar takes the first row that is free again.
  bars.sort((a, b) => a.at - b.at);
  const rows = [];
  for (const bar of bars) {
    let row = rows.findIndex((end) => end < bar.at);
    if (row < 0) row = rows.length;
    // A short one leaves room for what is written beside it.
    const room = bars.length < 10 ? SPAN / 4 : 0;
    rows[row] = Math.max(bar.end ?? Infinity, bar.at + room);
    bar.row = row;
  }
  const tall = Math.min(
    size * 1.3,
    (floor - base - 3) / Math.max(rows.length, 1),
  );
  for (const bar of bars) {
    const left = Math.max(x(Math.max(bar.at, from)), 0);
    const right = Math.max(x(bar.end ?? time), left + 2);
    const y = base + 2 + bar.row * tall;
    const thick = Math.max(tall - 1, 1);
    const good = bar.outcome == "ok";
    context.fillStyle = context.strokeStyle =
      good || bar.end === undefined ? colours.sent : colours.wait;
    if (good) {
      context.fillRect(left, y, right - left, thick);
    } else {
      if (bar.end !== undefined) context.setLineDash([4, 3]);
      context.strokeRect(left + 0.5, y + 0.5, right - left - 1, thick - 1);
      context.setLineDash([]);
    }
    if (thick < size * 0.8) continue;
    const mark = outcomes[bar.outcome] ?? "…";
    const text = `${bar.path} ${mark} ${milliseconds((bar.end ?? time) - bar.at)}`;
    const high = Math.min(size, thick);
    const bottom = y + thick * 0.82;
    context.font = `${high}px system-ui`;
    const wide = context.measureText(text).width;
    if (wide + 8 < right - left) {
      context.fillStyle = good ? colours.paper : colours.ink;
      context.fillText(text, left + 4, bottom);
    } else {
      const fits = right + wide + 8 < width;
      write(
        text,
        fits ? right + 6 : Math.max(left - wide - 6, 2),
        bottom,
        high,
      );
    }
  }
  if (rows.length && tall - 1 < size * 0.8) {
    const text = summary(bars);
    context.font = `${size}px system-ui`;
    const wide = context.measureText(text).width;
    const left = x(Math.max(Math.min(...bars.map((bar) => bar.at)), from));
    const middle = base + (floor - base) / 2 + size * 0.35;
    write(text, Math.max(left - wide - 6, 2), middle, size);
  }
  for (const [took, text] of scale)
    write(text, 2, above(took) + size * 0.3, size * 0.8);

  threads.forEach(([id, name], index) => {
    const y = floor + 1 + index * thin;
    let before = null;
    for (const look of lane.threads) {
      const share = look.threads.find((it) => it[0] == id)?.[2];
      if (before !== null && share !== undefined && look.at >= from) {
        // Whole pixels: no seam from one look to the next.
        const left = Math.floor(x(Math.max(before, from)));
        context.fillStyle = share > 0.1 ? colours.ink : colours.line;
        const thick = share > 0.1 ? Math.max(thin - 2, 2) : 1;
        context.fillRect(
          left,
          y + (thin - thick) / 2,
          Math.ceil(x(look.at)) - left,
          thick,
        );
      }
      before = look.at;
    }
    if (thin >= size * 0.6) write(name, 2, y + thin * 0.85, thin);
  });

  if (stage.guess !== null) {
    const left = Math.max(x(stage.guess), 0);
    context.fillStyle = colours.panel;
    context.fillRect(left, 0, width - left, height);
    context.fillStyle = colours.ink;
    context.font = `bold ${Math.min(height * 0.7, 48)}px system-ui`;
    context.fillText(
      "?",
      Math.min((left + width) / 2, width - 40),
      height * 0.7,
    );
  }
}

// A canvas doesn't know the colours of the style sheet, which change with the
// system's light or dark.
const names = ["paper", "ink", "line", "panel", "quick", "wait", "sent"];
const swatches = names.map((name) => {
  const swatch = document.createElement("i");
  swatch.hidden = true;
  swatch.style.color = `var(--${name})`;
  document.body.append(swatch);
  return swatch;
});

function frame() {
  const colours = {};
  swatches.forEach((swatch, index) => {
    colours[names[index]] = getComputedStyle(swatch).color;
  });
  const root = getComputedStyle(document.documentElement);
  const size = parseFloat(root.fontSize) * (stage.solo === null ? 1 : 1.2);
  for (const lane of stage.lanes) {
    if (!lane.root.hidden) draw(lane, colours, size);
  }
  const text = note();
  if (byId("note").textContent != text) byId("note").textContent = text;
}

let last = 0;
function animate(time) {
  requestAnimationFrame(animate);
  // The lanes move slowly: more frames would only take time of the servers.
  if (time - last < (still.matches ? 1000 : 66)) return;
  last = time;
  frame();
}

const chosen = /^#([1-9]\d*)$/.exec(location.hash);
stage.solo = chosen ? Number(chosen[1]) - 1 : null;
listen();
requestAnimationFrame(animate);
