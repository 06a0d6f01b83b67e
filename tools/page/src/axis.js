"use strict";

// A time axis on a canvas. The page at / of each step, the stage and the book's
// figures draw with it, in the colours of their style sheets.

/* exported Axis, element, setText, animate */
const element = (id) => document.getElementById(id);

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Draws again and again, with so many milliseconds in between: that leaves the
 * processor to the servers. */
function animate(draw, pause) {
  const next = () => requestAnimationFrame(() => animate(draw, pause));
  setTimeout(next, calm.matches ? 1000 : pause);
  draw();
}

class Axis {
  static #colours = "paper ink soft line panel quick wait sent".split(" ");
  static {
    for (const name of Axis.#colours) {
      // Its value is a colour then, whatever the style sheet says to get it.
      CSS.registerProperty?.({
        name: `--${name}`,
        syntax: "<color>",
        inherits: true,
        initialValue: "gray",
      });
    }
  }
  #hatchings = {};

  /** Milliseconds as people read them. */
  static duration(time) {
    if (time < 1) return "< 1 ms";
    return time < 999.5
      ? `${time.toFixed()} ms`
      : `${(time / 1000).toFixed(1)} s`;
  }

  static plural(count, noun) {
    return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  }

  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.style = getComputedStyle(canvas);
  }

  get em() {
    return parseFloat(this.style.fontSize);
  }

  /** Clears it, to show what happened between two moments. The margins are in
   * em; names go to the left one. */
  begin(from, to, leftMargin, rightMargin) {
    const { canvas, pen, style, em } = this;
    const { clientWidth: width, clientHeight: height } = canvas;
    const ratio = devicePixelRatio;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) {
      [canvas.width, canvas.height] = [w, h];
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.textBaseline = "middle";
    const [left, right] = [leftMargin * em, width - rightMargin * em];
    Object.assign(this, { from, to, width, height, left, right });
    this.colours = Object.fromEntries(
      Axis.#colours.map((name) => [name, style.getPropertyValue(`--${name}`)]),
    );
  }

  x(at) {
    const { from, to, left, right } = this;
    return left + ((at - from) / (to - from)) * (right - left);
  }

  /** A bar at least so many pixels wide, in one of three forms, with the first
   * of its texts that has room in it; or else the last beside it. */
  bar(
    from,
    to,
    top,
    height,
    colour,
    { form = "full", least = 1, texts = [], beside, ...look } = {},
  ) {
    const { pen, colours } = this;
    const left = Math.max(this.x(from), this.left);
    const right = Math.max(this.x(to), this.x(from) + least);
    if (right <= left) return;
    const ground = { full: colour, dashed: "paper" }[form];
    pen.fillStyle = ground ? colours[ground] : this.#hatched(colours[colour]);
    pen.fillRect(left, top, right - left, height);
    if (form === "dashed") {
      pen.strokeStyle = colours[colour];
      pen.setLineDash([4, 3]);
      pen.strokeRect(left + 0.5, top + 0.5, right - left - 1, height - 1);
    }
    const room = (text) => this.#measure(text, look) + 0.8 * this.em;
    const text = texts.find((text) => room(text) < right - left);
    const middle = top + height / 2;
    if (text) {
      const { place = "left" } = look;
      const x = { left, right, middle: (left + right) / 2 }[place];
      look.colour = form === "full" && colour !== "line" ? "paper" : "ink";
      this.text(text, x, middle, look);
    } else if (beside && texts.length) {
      // Before it where the axis ends.
      const fits = right + room(texts.at(-1)) < this.width;
      const x = fits ? right : Math.max(left, room(texts.at(-1)));
      look.place = fits ? "left" : "right";
      this.text(texts.at(-1), x, middle, { ...look, ground: "panel" });
    }
  }

  /** Text of so many em with its left or right end, or its middle, at x. */
  text(text, x, y, look = {}) {
    const { pen, em, colours } = this;
    const { place = "left", colour = "ink", ground, size = 0.9 } = look;
    const width = this.#measure(text, look);
    const gap = 0.4 * em;
    if (place === "left") x += gap;
    else x -= place === "right" ? width + gap : width / 2;
    if (ground) {
      x = Math.max(x, this.left);
      pen.fillStyle = colours[ground];
      pen.fillRect(x - 2, y - 0.55 * size * em, width + 4, 1.1 * size * em);
    }
    pen.fillStyle = colours[colour];
    pen.fillText(text, x, y);
  }

  #measure(text, { size = 0.9, weight = 400 }) {
    this.pen.font = `${weight} ${size * this.em}px ${this.style.fontFamily}`;
    return this.pen.measureText(text).width;
  }

  #hatched(colour) {
    if (!this.#hatchings[colour]) {
      const tile = Object.assign(document.createElement("canvas"), {
        width: 4,
        height: 4,
      });
      const pen = tile.getContext("2d");
      pen.fillStyle = colour;
      for (let n = 0; n < 4; n += 1) pen.fillRect(n, 3 - n, 2, 1);
      this.#hatchings[colour] = pen.createPattern(tile, "repeat");
    }
    return this.#hatchings[colour];
  }
}
