// The figures that the reader presses: the browser really computes, and what
// it did is drawn from time stamps. `figure.recording` holds them.
//
// Without scripts or workers the picture in the figure is all there is.
"use strict";

(() => {
  /** Milliseconds from one heartbeat to the next. */
  const BEAT = 50;
  /** Milliseconds without a heartbeat that are drawn as a gap. */
  const GAP = 5 * BEAT;
  /** Milliseconds of computing in a chunk. */
  const CHUNK = 10;
  /** Milliseconds of heartbeat before the computing, and after it. */
  const AROUND = 500;

  // ------------------------------------------------------------ the work

  /** Milliseconds on a clock that all threads of the browser have. */
  const now = () => performance.timeOrigin + performance.now();

  function count(rounds) {
    let n = 0;
    while (n < rounds) n += 1;
    return n;
  }

  /** How many rounds are a chunk here, measured once. */
  let measured;
  function chunk() {
    for (let rounds = 1000; !measured; rounds *= 2) {
      // The quickest of three: others want the core too.
      const took = Math.min(...[0, 0, 0].map(() => timed(rounds)));
      if (took >= CHUNK / 2) measured = Math.round((rounds * CHUNK) / took);
    }
    return measured;
  }

  function timed(rounds) {
    const start = now();
    count(rounds);
    return now() - start;
  }

  /** What a worker does. It is sent as text, and sees nothing else of this. */
  function work() {
    const { port1, port2 } = new MessageChannel();
    /** Lets the messages in that have come meanwhile. */
    const look = () =>
      new Promise((done) => {
        port1.onmessage = done;
        port2.postMessage(null);
      });
    let cancelled;
    addEventListener("message", async ({ data }) => {
      if (data === "cancel") {
        cancelled = true;
        return;
      }
      const { chunks, rounds, tells, looks } = data;
      cancelled = false;
      postMessage({ from: now() });
      let done = 0;
      while (done < chunks && !cancelled) {
        count(rounds);
        done += 1;
        if (tells) postMessage({ done });
        if (looks) await look();
      }
      postMessage({ done, cancelled, to: now() });
    });
  }

  const script = URL.createObjectURL(
    new Blob([`const now = ${now}; ${count} (${work})()`]),
  );

  // ------------------------------------------------- threads and their pool

  class Thread {
    constructor(figure, name) {
      const worker = new Worker(script);
      Object.assign(this, { figure, name, worker, jobs: 0 });
      this.worker.onmessage = ({ data }) => this.told(data);
      this.worker.onerror = () => this.reject(new Error("A worker failed."));
    }

    /** Does a job. What is known of it is in its span, resolved at its end. */
    run(job) {
      this.jobs += 1;
      this.span = { ...job, asked: now() };
      this.figure.lane(this.name).spans.push(this.span);
      this.worker.postMessage({ ...job, rounds: chunk() });
      return new Promise((resolve, reject) => {
        Object.assign(this, { resolve, reject });
      });
    }

    told(message) {
      Object.assign(this.span, message);
      const { done, chunks, tells } = this.span;
      const percent = Math.round((100 * done) / chunks);
      if (tells && done) this.span.text = `${percent} %`;
      if (!message.from) this.figure.mark("");
      if (message.to) this.resolve(this.span);
    }

    terminate() {
      this.worker.terminate();
      this.resolve(Object.assign(this.span, { terminated: true, to: now() }));
    }
  }

  class Pool {
    constructor(figure, size) {
      this.queue = [];
      this.idle = [];
      for (let i = 1; i <= size; i += 1) {
        this.idle.push(new Thread(figure, `worker ${i}`));
      }
      this.threads = [...this.idle];
    }

    submit(job) {
      return new Promise((...then) => {
        this.queue.push({ job, then });
        this.next();
      });
    }

    next() {
      if (!this.idle.length || !this.queue.length) return;
      const thread = this.idle.shift();
      const { job, then } = this.queue.shift();
      const done = thread.run(job).then(...then);
      done.finally(() => {
        this.idle.push(thread);
        this.next();
      });
    }
  }

  // ------------------------------------------------------------ the steps

  /** Jobs, each on a new thread. */
  async function onNewThreads(figure, jobs) {
    await figure.pause(AROUND);
    const threads = jobs.map((_, i) => new Thread(figure, `worker ${i + 1}`));
    const spans = await Promise.all(threads.map((it, i) => it.run(jobs[i])));
    threads.forEach(({ worker }) => worker.terminate());
    return spans;
  }

  async function computeHere(figure) {
    await figure.pause(AROUND);
    const span = { from: now() };
    for (let i = 0; i < figure.chunks; i += 1) count(chunk());
    span.to = now();
    figure.lane("page").spans.push(span);
    // The next heartbeat ends the gap.
    await figure.pause(2 * BEAT);
    return `The page computed for ${seconds(length(span))}, and the heartbeat \
stood still for ${seconds(longestGap(figure.recording))}.`;
  }

  async function computeThere(figure) {
    const [span] = await onNewThreads(figure, [{ chunks: figure.chunks }]);
    return `The worker computed for ${seconds(length(span))}. The heartbeat's \
longest gap was ${seconds(longestGap(figure.recording))}.`;
  }

  async function divide(figure, n) {
    const share = (i) => Math.floor((figure.chunks * i) / n);
    const jobs = Array.from({ length: n }, (_, i) => ({
      chunks: share(i + 1) - share(i),
    }));
    const spans = await onNewThreads(figure, jobs);
    const from = Math.min(...spans.map(({ asked }) => asked));
    figure.mark("join");
    figure.times ??= {};
    figure.times[n] = now() - from;
    const times = Object.entries(figure.times).map(
      ([n, time]) => `${plural(n, "worker")}: ${seconds(time)}`,
    );
    const cores = navigator.hardwareConcurrency;
    return `${times.join(", ")}. This machine has ${plural(cores, "core")}.`;
  }

  const SMALL = 6;

  function small(figure) {
    const chunks = Math.max(1, Math.round(figure.chunks / 15));
    return Array.from({ length: SMALL }, () => ({ chunks, text: "job" }));
  }

  async function toNewThreads(figure) {
    await onNewThreads(figure, small(figure));
    figure.recording.threads = SMALL;
    return `${SMALL} jobs, and ${SMALL} workers started for them.`;
  }

  async function toThePool(figure) {
    await figure.pause(AROUND);
    figure.pool ??= new Pool(figure, 2);
    await Promise.all(small(figure).map((job) => figure.pool.submit(job)));
    const jobs = figure.pool.threads.map((thread) => thread.jobs);
    Object.assign(figure.recording, { threads: jobs.length, jobs });
    return `The pool's ${jobs.length} workers, started once, have done \
${jobs.join(" and ")} jobs by now.`;
  }

  const PLACES = 3;

  async function ask(figure) {
    figure.pool ??= new Pool(figure, 1);
    figure.admitted ??= 0;
    const { recording } = figure;
    if (figure.admitted === PLACES) {
      recording.refused = (recording.refused ?? 0) + 1;
      figure.mark("503");
    } else {
      figure.admitted += 1;
      recording.admitted = (recording.admitted ?? 0) + 1;
      figure.say(taken(figure));
      const text = `request ${recording.admitted}`;
      const chunks = Math.round(figure.chunks / 3);
      await figure.pool.submit({ chunks, text });
      figure.admitted -= 1;
    }
    return taken(figure);
  }

  const taken = ({ admitted, recording }) =>
    `${admitted} of ${PLACES} places are taken; refused: \
${recording.refused ?? 0}.`;

  async function tell(figure) {
    const job = { chunks: figure.chunks, tells: true };
    const [span] = await onNewThreads(figure, [job]);
    return `${span.done} messages said how far it was. Could memory be shared \
on this page? ${window.crossOriginIsolated ? "Yes" : "No"}.`;
  }

  async function cancellable(figure, looks) {
    await figure.pause(AROUND);
    const thread = new Thread(figure, "worker 1");
    figure.thread = thread;
    const job = { chunks: figure.chunks, tells: true, looks };
    const span = await thread.run(job);
    figure.thread = null;
    if (span.terminated) return "Terminated, in the middle of a chunk.";
    thread.worker.terminate();
    const { asked, done } = figure.recording.cancel ?? {};
    if (!asked) return `Not cancelled: ${span.done} chunks were counted.`;
    return `${seconds(span.to - asked)} after you asked for it, and \
${plural(span.done - done, "chunk")} further on, it ended.`;
  }

  function cancel(figure) {
    if (!figure.thread) return;
    const { span, worker } = figure.thread;
    worker.postMessage("cancel");
    figure.recording.cancel ??= { asked: now(), done: span.done ?? 0 };
    figure.mark("cancel");
  }

  function terminate(figure) {
    figure.thread?.terminate();
  }

  /** The buttons of each step, and what they do. */
  const STEPS = {
    1: { "Compute on this page": computeHere },
    2: { "Compute in a worker": computeThere },
    3: Object.fromEntries(
      [1, 2, 4, 8].map((n) => [plural(n, "worker"), (it) => divide(it, n)]),
    ),
    4: {
      "Six jobs, a worker each": toNewThreads,
      "Six jobs, a pool of two": toThePool,
    },
    5: { "Send a request": ask },
    6: { "Compute, and tell": tell },
    7: {
      Compute: (it) => cancellable(it, true),
      "Compute without looking": (it) => cancellable(it, false),
      "Cancel by a message": cancel,
      "terminate()": terminate,
    },
  };

  // ----------------------------------------------------------- the figure

  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  class Figure {
    constructor(element) {
      this.element = element;
      this.running = 0;
      const buttons = make("div", "buttons");
      for (const [text, act] of Object.entries(STEPS[element.dataset.step])) {
        const stops = [cancel, terminate].includes(act);
        const button = make("button", stops ? "stop" : "", text);
        button.type = "button";
        button.addEventListener("click", () =>
          stops ? act(this) : this.press(act),
        );
        buttons.append(button);
      }
      this.lanes = make("div", "lanes");
      this.lanes.role = "img";
      this.state = make("p", "state");
      this.state.role = "status";
      const caption = element.querySelector("figcaption");
      caption.before(buttons, this.lanes, this.state);
      this.reset();
      this.recording.end = this.recording.start;
      this.draw();
    }

    /** The work of a press, in chunks. */
    get chunks() {
      return Math.round((this.element.dataset.milliseconds ?? 2000) / CHUNK);
    }

    reset() {
      this.recording = this.element.recording = {
        start: now(),
        beats: [],
        lanes: [
          { name: "heartbeat", spans: [], marks: [] },
          { name: "page", spans: [], marks: [] },
        ],
      };
    }

    async press(act) {
      // A press that waited for a freeze to end means nothing any more.
      if (this.timer && act !== ask) return;
      chunk();
      if (!this.timer) this.record();
      this.running += 1;
      try {
        const text = await act(this);
        if (text) this.say(text);
      } catch (error) {
        this.say(String(error));
      }
      this.running -= 1;
      this.last = now();
    }

    /** Begins a recording, which ends soon after the last work has. */
    record() {
      this.reset();
      this.say("Computing …");
      this.recording.beats.push(now());
      this.timer = setInterval(() => this.beat(), BEAT);
    }

    beat() {
      const time = now();
      this.recording.beats.push(time);
      if (!this.running && time > this.last + AROUND) {
        clearInterval(this.timer);
        this.timer = null;
        this.recording.end = time;
        this.draw();
      } else if (!calm.matches) {
        this.draw();
      }
    }

    /** Waits, and the heartbeat goes on. */
    pause(milliseconds) {
      return new Promise((done) => setTimeout(done, milliseconds));
    }

    lane(name) {
      const { lanes } = this.recording;
      const lane = lanes.find((it) => it.name === name);
      if (lane) return lane;
      lanes.push({ name, spans: [], marks: [] });
      return lanes.at(-1);
    }

    /** Something that the page's thread did in a moment. */
    mark(text) {
      this.lane("page").marks.push({ at: now(), text });
    }

    say(text) {
      this.state.textContent = text;
    }

    draw() {
      const { start, end = now(), beats, lanes } = this.recording;
      const least = this.timer ? this.chunks * CHUNK + 2 * AROUND : 1;
      const scale = 100 / Math.max(least, end - start);
      const at = (time) => (time - start) * scale;
      this.lanes.replaceChildren(...lanes.map((lane) => drawn(lane, at, end)));
      const track = this.lanes.querySelector(".track");
      track.append(...beats.map((time) => box("beat", at(time), 0)));
      for (const [from, to] of gaps(beats)) {
        const [left, took] = [at(from), seconds(to - from)];
        const words = "no heartbeat for ";
        track.append(box("gap", left, at(to) - left, words, took));
      }
      this.lanes.ariaLabel = `Lanes over ${seconds(end - start)}: ${lanes
        .map(({ name }) => name)
        .join(", ")}. ${this.state.textContent}`;
    }
  }

  function drawn({ name, spans, marks }, at, end) {
    const track = make("div", "track");
    for (const { asked, from, to, text } of spans) {
      const [left, right] = [at(from ?? end), at(to ?? end)];
      if (asked) track.append(box("asked", at(asked), left - at(asked)));
      if (from) {
        const took = to && !text && seconds(to - from);
        const words = text ?? (to ? "computed for " : "computes");
        track.append(box("busy", left, right - left, words, took));
      }
    }
    for (const { at: time, text } of marks) {
      track.append(box(text ? "mark named" : "mark", at(time), 0, text));
    }
    const lane = make("div", "lane");
    lane.append(make("span", "name", name), track);
    return lane;
  }

  // ---------------------------------------------------------------- helpers

  function make(tag, name, text = "") {
    const element = document.createElement(tag);
    element.className = name;
    element.textContent = text;
    return element;
  }

  /** A box at so many per cent of the time. Where it is narrow, it has only
   * `took` in it. */
  function box(name, left, width, text, took) {
    const element = make("span", name, took ? "" : text);
    const parts = [make("span", "words", text), make("span", "", took)];
    if (took) element.append(...parts);
    element.style.left = `${left}%`;
    if (width) element.style.width = `${width}%`;
    return element;
  }

  /** The pairs of heartbeats with too much time between them. */
  const gaps = (beats) =>
    beats
      .map((time, i) => [beats[i - 1] ?? time, time])
      .filter(([from, to]) => to - from > GAP);

  const longestGap = ({ beats }) =>
    Math.max(...beats.slice(1).map((time, i) => time - beats[i]));

  const length = ({ from, to }) => to - from;

  function seconds(milliseconds) {
    return milliseconds < 100
      ? `${Math.round(milliseconds)} ms`
      : `${(milliseconds / 1000).toFixed(2)} s`;
  }

  function plural(n, word) {
    return `${n} ${word}${Number(n) === 1 ? "" : "s"}`;
  }

  for (const figure of document.querySelectorAll("figure.press")) {
    if (figure.dataset.step === "1" || window.Worker) new Figure(figure);
  }
})();
