// Figures to press: the browser really computes, and what it did is drawn from
// the time stamps in `figure.recording`.
//
// Without scripts there is only the figure's picture.
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
    const timed = (rounds) => {
      const start = now();
      count(rounds);
      return now() - start;
    };
    for (let rounds = 1000; !measured; rounds *= 2) {
      // The quickest of three: other programs want the core too.
      const took = Math.min(timed(rounds), timed(rounds), timed(rounds));
      if (took >= CHUNK / 2) measured = Math.round((rounds * CHUNK) / took);
    }
    return measured;
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
      cancelled = data === "cancel";
      if (cancelled) return;
      const { chunks, rounds, reports, checks } = data;
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

  class Thread {
    constructor(figure, name) {
      const worker = new Worker(script);
      Object.assign(this, { figure, name, worker, jobs: 0 });
      worker.onmessage = ({ data }) => this.received(data);
    }

    /** Does a job. Resolves to its span, which contains what is known of it. */
    run(job) {
      this.jobs += 1;
      this.span = { ...job, asked: now() };
      this.figure.lane(this.name).spans.push(this.span);
      this.worker.postMessage({ ...job, rounds: chunk() });
      return new Promise((resolve) => {
        this.resolve = resolve;
      });
    }

    received(message) {
      const { span, figure } = this;
      Object.assign(span, message);
      if (span.reports && span.done) {
        span.text = `${Math.round((100 * span.done) / span.chunks)} %`;
      }
      if (!message.from) figure.mark();
      if (message.to) this.resolve(span);
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

  // ------------------------------------------------------------ the steps

  /** Jobs, each on a new thread. */
  async function onNewThreads(figure, jobs) {
    const workers = threads(figure, jobs.length);
    const spans = await Promise.all(workers.map((it, i) => it.run(jobs[i])));
    workers.forEach(({ worker }) => worker.terminate());
    return spans;
  }

  async function computeHere(figure) {
    const from = now();
    for (let i = 0; i < figure.chunks; i += 1) count(chunk());
    const span = { asked: from, from, to: now() };
    figure.lane("page").spans.push(span);
    // The next heartbeat ends the gap.
    await figure.pause(2 * BEAT);
    return `The page computed for ${duration(length(span))}, and the heartbeat \
stopped for ${duration(figure.longestGap)}.`;
  }

  async function computeThere(figure) {
    const [span] = await onNewThreads(figure, [{ chunks: figure.chunks }]);
    return `The worker computed for ${duration(length(span))}. The heartbeat's \
longest gap was ${duration(figure.longestGap)}.`;
  }

  async function divide(figure, n) {
    const share = (i) => Math.floor((figure.chunks * i) / n);
    const jobs = Array.from({ length: n }, (_, i) => ({
      chunks: share(i + 1) - share(i),
    }));
    const [first] = await onNewThreads(figure, jobs);
    figure.mark("join");
    figure.times[n] = now() - first.asked;
    const times = Object.entries(figure.times).map(
      ([n, time]) => `${plural(Number(n), "worker")}: ${duration(time)}`,
    );
    const cores = navigator.hardwareConcurrency;
    return `${times.join(", ")}. This machine has ${plural(cores, "core")}.`;
  }

  function sixJobs(figure) {
    const chunks = Math.max(1, Math.round(figure.chunks / 15));
    return Array.from({ length: 6 }, () => ({ chunks, text: "job" }));
  }

  async function toNewThreads(figure) {
    await onNewThreads(figure, sixJobs(figure));
    return "6 jobs, with 6 workers started for them.";
  }

  async function toThePool(figure) {
    figure.pool ??= threads(figure, 2);
    const queue = sixJobs(figure);
    const runJobs = async (thread) => {
      while (queue.length) await thread.run(queue.shift());
    };
    await Promise.all(figure.pool.map(runJobs));
    const jobs = figure.pool.map((thread) => thread.jobs);
    return `The pool's ${jobs.length} workers, started once, have done \
${jobs.join(" and ")} jobs so far.`;
  }

  const SLOTS = 3;

  async function ask(figure) {
    figure.asked += 1;
    if (figure.admitted === SLOTS) {
      figure.mark("503");
    } else {
      const chunks = Math.round(figure.chunks / 3);
      const job = { chunks, text: `request ${figure.asked}` };
      figure.pool ??= threads(figure, 1);
      figure.admitted += 1;
      figure.say(taken(figure));
      figure.queue = figure.queue.then(() => figure.pool[0].run(job));
      await figure.queue;
      figure.admitted -= 1;
    }
    return taken(figure);
  }

  function taken(figure) {
    const { marks } = figure.lane("page");
    const refused = marks.filter(({ texts }) => texts.length).length;
    return `${figure.admitted} of ${SLOTS} slots are taken; refused: \
${refused}.`;
  }

  async function report(figure) {
    const job = { chunks: figure.chunks, reports: true };
    const [span] = await onNewThreads(figure, [job]);
    return `${span.done} messages reported the progress. Could this page share \
memory? ${window.crossOriginIsolated ? "Yes" : "No"}.`;
  }

  async function cancellable(figure, checks) {
    const [thread] = threads(figure, 1);
    figure.thread = thread;
    const job = { chunks: figure.chunks, reports: true, checks };
    const { terminated, done, to, cancel } = await thread.run(job);
    figure.thread = null;
    thread.worker.terminate();
    if (terminated) return "Terminated, in the middle of a chunk.";
    if (!cancel) return `Not cancelled: ${done} chunks were counted.`;
    return `It ended ${duration(to - cancel.asked)} after you asked for it, \
${plural(done - cancel.done, "chunk")} later.`;
  }

  function cancel(figure) {
    if (!figure.thread) return;
    const { span, worker } = figure.thread;
    worker.postMessage("cancel");
    span.cancel ??= { asked: now(), done: span.done ?? 0 };
    figure.mark("cancel");
  }

  const terminate = (figure) => figure.thread?.terminate();

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
    running = 0;
    /** What the steps remember from one press to the next. */
    times = {};
    asked = 0;
    admitted = 0;
    queue = Promise.resolve();

    constructor(element) {
      this.element = element;
      const buttons = make("div", "buttons");
      for (const [text, act] of Object.entries(STEPS[element.dataset.step])) {
        const stops = [cancel, terminate].includes(act);
        const button = make("button", stops ? "stop" : "", text);
        button.type = "button";
        button.onclick = () => (stops ? act(this) : this.press(act));
        buttons.append(button);
      }
      this.lanes = make("canvas", "lanes");
      this.lanes.ariaHidden = "true";
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

    get longestGap() {
      return Math.max(...pauses(this.recording.beats).map(length));
    }

    reset() {
      const recording = { start: now(), beats: [], lanes: [] };
      this.recording = this.element.recording = recording;
      this.lane("heartbeat");
      this.lane("page");
    }

    /** Starts a recording, which ends soon after the last job. */
    async press(act) {
      // A press that had to wait for the end of a freeze is void.
      if (this.timer && act !== ask) return;
      chunk();
      this.running += 1;
      if (!this.timer) {
        this.reset();
        this.say("Computing …");
        this.timer = setInterval(() => this.beat(), BEAT);
        this.beat();
      }
      if (act !== ask) await this.pause(this.around);
      try {
        this.say(await act(this));
      } catch (error) {
        this.say(`This browser can't show that: ${error.message}`);
      }
      this.running -= 1;
      this.last = now();
    }

    beat() {
      const time = now();
      this.recording.beats.push(time);
      const isOver = !this.running && time > this.last + this.around;
      if (isOver) {
        this.timer = clearInterval(this.timer);
        this.recording.end = time;
      }
      if (isOver || !calm.matches) this.draw();
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

    /** Something that the page's thread did just now, perhaps with a name. */
    mark(...texts) {
      this.lane("page").marks.push({ at: now(), texts });
    }

    say(text) {
      this.state.textContent = text;
    }

    draw() {
      const { axis, recording, timer } = this;
      const { start, end = now(), beats, lanes } = recording;
      const least = timer ? this.chunks * CHUNK + 2 * this.around : 1;
      this.lanes.style.height = `${lanes.length * ROW}em`;
      axis.begin(start, start + Math.max(least, end - start), NAMES, 0);
      lanes.forEach((lane, row) => this.drawLane(lane, row, end));
      const [top, height] = this.place(0);
      for (const { from, to } of pauses(beats)) {
        if (to - from < GAP) continue;
        const took = duration(to - from);
        const texts = [`no heartbeat for ${took}`, took];
        const look = { form: "dashed", place: "middle", weight: 700, texts };
        axis.bar(from, to, top, height, "wait", look);
      }
      for (const at of beats) {
        const tick = { least: 3 };
        axis.bar(at, at, top + 0.2 * height, 0.6 * height, "quick", tick);
      }
    }

    drawLane({ name, spans, marks }, row, end) {
      const { axis } = this;
      const [top, height] = this.place(row);
      axis.text(name, 0, top + height / 2, { size: 1 });
      axis.bar(axis.from, axis.to, top, height, "panel");
      for (const { asked, from, to, text } of spans) {
        const hatched = { form: "hatched" };
        axis.bar(asked, from ?? end, top, height, "sent", hatched);
        const took = to && duration(to - from);
        const words = took ? [`computed for ${took}`, took] : ["computes"];
        const texts = text ? [text] : words;
        if (from) axis.bar(from, to ?? end, top, height, "sent", { texts });
      }
      for (const { at, texts } of marks) {
        const colour = texts.length ? "wait" : "soft";
        const least = 1 + texts.length;
        const look = { texts, beside: true, weight: 700, least };
        axis.bar(at, at, top, height, colour, look);
      }
    }

    /** Where a row begins, and how high it is. */
    place(row) {
      const { em } = this.axis;
      return [row * ROW * em, (ROW - 0.3) * em];
    }
  }

  // ---------------------------------------------------------------- helpers

  function make(tag, className, textContent = "") {
    const element = document.createElement(tag);
    return Object.assign(element, { className, textContent });
  }

  /** The times from one heartbeat to the next. */
  const pauses = (beats) =>
    beats.slice(1).map((to, i) => ({ from: beats[i], to }));

  const length = ({ from, to }) => to - from;

  for (const figure of document.querySelectorAll("figure.press")) {
    new Figure(figure);
  }
})();
