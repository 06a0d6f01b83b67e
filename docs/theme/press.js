// Figures to press: the browser really computes, and what it did is drawn from
// the time stamps in `figure.recording`.
//
// Without scripts or workers there is only the figure's picture.
"use strict";

(() => {
  /** Milliseconds from one heartbeat to the next. */
  const BEAT = 50;
  /** Milliseconds without a heartbeat that are drawn as a gap. */
  const GAP = 5 * BEAT;
  /** Milliseconds of computing in a chunk. */
  const CHUNK = 10;
  /** From one row to the next, and how wide names are, in em. */
  const [ROW, NAMES] = [2.3, 6];
  const { duration, plural } = Axis;
  /** A heartbeat is so many pixels wide. */
  const TICK = { least: 3 };

  // ------------------------------------------------------------ the work

  /** Milliseconds on a clock that all of the browser's threads share. */
  const now = () => performance.timeOrigin + performance.now();

  function count(rounds) {
    let n = 0;
    while (n < rounds) n += 1;
    return n;
  }

  /** How many rounds make up a chunk here, measured once. */
  let measured;
  function chunk() {
    for (let rounds = 1000; !measured; rounds *= 2) {
      // The quickest of three: other programs want the core too.
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

  /** What a worker does. It is sent as text, and sees nothing else in here. */
  function work() {
    const { port1, port2 } = new MessageChannel();
    /** Receives the messages that have arrived. */
    const receive = () =>
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
      const { chunks, rounds, reports, checks } = data;
      cancelled = false;
      postMessage({ from: now() });
      let done = 0;
      while (done < chunks && !cancelled) {
        count(rounds);
        done += 1;
        if (reports) postMessage({ done });
        if (checks) await receive();
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
      this.worker.onmessage = ({ data }) => this.received(data);
      this.worker.onerror = () => this.reject(new Error("A worker failed."));
    }

    /** Does a job. Resolves to its span, which contains what is known of it. */
    run(job) {
      this.jobs += 1;
      this.span = { ...job, asked: now() };
      this.figure.lane(this.name).spans.push(this.span);
      this.worker.postMessage({ ...job, rounds: chunk() });
      return new Promise((resolve, reject) => {
        Object.assign(this, { resolve, reject });
      });
    }

    received(message) {
      Object.assign(this.span, message);
      const { done, chunks, reports } = this.span;
      const percent = Math.round((100 * done) / chunks);
      if (reports && done) this.span.text = `${percent} %`;
      if (!message.from) this.figure.mark("");
      if (message.to) this.resolve(this.span);
    }

    terminate() {
      this.worker.terminate();
      this.resolve(Object.assign(this.span, { terminated: true, to: now() }));
    }
  }

  const threads = (figure, count) =>
    Array.from(
      { length: count },
      (_, i) => new Thread(figure, `worker ${i + 1}`),
    );

  class Pool {
    constructor(figure, size) {
      this.queue = [];
      this.threads = threads(figure, size);
      this.idle = [...this.threads];
    }

    async submit(job) {
      while (!this.idle.length) {
        await new Promise((proceed) => this.queue.push(proceed));
      }
      const thread = this.idle.shift();
      try {
        return await thread.run(job);
      } finally {
        this.idle.push(thread);
        this.queue.shift()?.();
      }
    }
  }

  // ------------------------------------------------------------ the steps

  /** Jobs, each on a new thread. */
  async function onNewThreads(figure, jobs) {
    await figure.pause(figure.around);
    const workers = threads(figure, jobs.length);
    const spans = await Promise.all(workers.map((it, i) => it.run(jobs[i])));
    workers.forEach(({ worker }) => worker.terminate());
    return spans;
  }

  async function computeHere(figure) {
    await figure.pause(figure.around);
    const span = { from: now() };
    for (let i = 0; i < figure.chunks; i += 1) count(chunk());
    span.to = now();
    figure.lane("page").spans.push(span);
    // The next heartbeat ends the gap.
    await figure.pause(2 * BEAT);
    return `The page computed for ${duration(length(span))}, and the heartbeat \
stopped for ${duration(longestGap(figure.recording))}.`;
  }

  async function computeThere(figure) {
    const [span] = await onNewThreads(figure, [{ chunks: figure.chunks }]);
    return `The worker computed for ${duration(length(span))}. The heartbeat's \
longest gap was ${duration(longestGap(figure.recording))}.`;
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
      ([n, time]) => `${plural(Number(n), "worker")}: ${duration(time)}`,
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
    return `${SMALL} jobs, with ${SMALL} workers started for them.`;
  }

  async function toThePool(figure) {
    await figure.pause(figure.around);
    figure.pool ??= new Pool(figure, 2);
    await Promise.all(small(figure).map((job) => figure.pool.submit(job)));
    const jobs = figure.pool.threads.map((thread) => thread.jobs);
    Object.assign(figure.recording, { threads: jobs.length, jobs });
    return `The pool's ${jobs.length} workers, started once, have done \
${jobs.join(" and ")} jobs so far.`;
  }

  const SLOTS = 3;

  async function ask(figure) {
    figure.pool ??= new Pool(figure, 1);
    figure.admitted ??= 0;
    const { recording } = figure;
    if (figure.admitted === SLOTS) {
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
    `${admitted} of ${SLOTS} slots are taken; refused: \
${recording.refused ?? 0}.`;

  async function report(figure) {
    const job = { chunks: figure.chunks, reports: true };
    const [span] = await onNewThreads(figure, [job]);
    return `${span.done} messages reported the progress. Could this page share \
memory? ${window.crossOriginIsolated ? "Yes" : "No"}.`;
  }

  async function cancellable(figure, checks) {
    await figure.pause(figure.around);
    const thread = new Thread(figure, "worker 1");
    figure.thread = thread;
    const job = { chunks: figure.chunks, reports: true, checks };
    const span = await thread.run(job);
    figure.thread = null;
    if (span.terminated) return "Terminated, in the middle of a chunk.";
    thread.worker.terminate();
    const { asked, done } = figure.recording.cancel ?? {};
    if (!asked) return `Not cancelled: ${span.done} chunks were counted.`;
    return `It ended ${duration(span.to - asked)} after you asked for it, \
${plural(span.done - done, "chunk")} later.`;
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
      "Six jobs, six workers": toNewThreads,
      "Six jobs, a pool of two": toThePool,
    },
    5: { "Send a request": ask },
    6: { "Compute, and report progress": report },
    7: {
      Compute: (it) => cancellable(it, true),
      "Compute without checking": (it) => cancellable(it, false),
      "Cancel with a message": cancel,
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
      this.lanes = make("canvas", "lanes");
      this.lanes.role = "img";
      this.state = make("p", "state");
      this.state.role = "status";
      const caption = element.querySelector("figcaption");
      caption.before(buttons, this.lanes, this.state);
      this.axis = new Axis(this.lanes);
      this.reset();
      this.recording.end = this.recording.start;
      this.draw();
    }

    /** The work of a press, in chunks. */
    get chunks() {
      return Math.round((this.element.dataset.milliseconds ?? 2000) / CHUNK);
    }

    /** Milliseconds of heartbeat before and after it. */
    get around() {
      return (this.chunks * CHUNK) / 4;
    }

    reset() {
      const recording = { start: now(), beats: [], lanes: [] };
      this.recording = this.element.recording = recording;
      this.lane("heartbeat");
      this.lane("page");
    }

    async press(act) {
      // A press that had to wait for the end of a freeze is void.
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

    /** Starts a recording, which ends soon after the last job. */
    record() {
      this.reset();
      this.say("Computing …");
      this.recording.beats.push(now());
      this.timer = setInterval(() => this.beat(), BEAT);
    }

    beat() {
      const time = now();
      this.recording.beats.push(time);
      if (!this.running && time > this.last + this.around) {
        clearInterval(this.timer);
        this.timer = null;
        this.recording.end = time;
        this.draw();
      } else if (!calm.matches) {
        this.draw();
      }
    }

    /** Waits, while the heartbeat continues. */
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

    /** Something that the page's thread did just now. */
    mark(text) {
      this.lane("page").marks.push({ at: now(), text });
    }

    say(text) {
      this.state.textContent = text;
    }

    draw() {
      const { start, end = now(), beats, lanes } = this.recording;
      const least = this.timer ? this.chunks * CHUNK + 2 * this.around : 1;
      const { axis } = this;
      this.lanes.style.height = `${lanes.length * ROW}em`;
      axis.begin(start, start + Math.max(least, end - start), NAMES, 0);
      lanes.forEach((lane, row) => this.drawLane(lane, row, end));
      const [top, height] = this.place(0);
      for (const [from, to] of gaps(beats)) {
        const took = duration(to - from);
        const texts = [`no heartbeat for ${took}`, took];
        const look = { form: "dashed", place: "middle", weight: 700, texts };
        axis.bar(from, to, top, height, "wait", look);
      }
      for (const at of beats) {
        axis.bar(at, at, top + 0.2 * height, 0.6 * height, "quick", TICK);
      }
      this.lanes.ariaLabel = `Lanes over ${duration(end - start)}: ${lanes
        .map(({ name }) => name)
        .join(", ")}. ${this.state.textContent}`;
    }

    drawLane({ name, spans, marks }, row, end) {
      const { axis } = this;
      const [top, height] = this.place(row);
      axis.text(name, 0, top + height / 2, { size: 1 });
      axis.bar(axis.from, axis.to, top, height, "panel");
      for (const { asked, from, to, text } of spans) {
        const took = to && duration(to - from);
        const texts = text
          ? [text]
          : [to ? `computed for ${took}` : "computes"];
        if (took && !text) texts.push(took);
        if (asked) {
          const look = { form: "hatched" };
          axis.bar(asked, from ?? end, top, height, "sent", look);
        }
        if (from) axis.bar(from, to ?? end, top, height, "sent", { texts });
      }
      for (const { at, text } of marks) {
        const look = { texts: [text], beside: true, weight: 700, least: 2 };
        if (text) axis.bar(at, at, top, height, "wait", look);
        else axis.bar(at, at, top, height, "soft");
      }
    }

    /** Where a row begins, and how high it is. */
    place(row) {
      const { em } = this.axis;
      return [row * ROW * em, (ROW - 0.3) * em];
    }
  }

  // ---------------------------------------------------------------- helpers

  function make(tag, name, text = "") {
    const element = document.createElement(tag);
    element.className = name;
    element.textContent = text;
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

  for (const figure of document.querySelectorAll("figure.press")) {
    if (figure.dataset.step === "1" || window.Worker) new Figure(figure);
  }
})();
