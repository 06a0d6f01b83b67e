"use strict";

// The page follows the theme that was chosen in the book.
try {
  const theme = /\w+/.exec(localStorage.getItem("mdbook-theme") ?? "");
  if (theme) document.documentElement.classList.add(theme[0]);
} catch {
  // Nothing is stored for a page that is opened as a file.
}

// PageDown and PageUp are what a presenter's remote control sends.
const moves = {
  ArrowRight: [".hunk", 1],
  PageDown: [".hunk", 1],
  ArrowLeft: [".hunk", -1],
  PageUp: [".hunk", -1],
  n: [".difference", 1],
  p: [".difference", -1],
};

function move(selector, direction) {
  // How far below the place where it is scrolled to.
  const places = [...document.querySelectorAll(selector)].map((element) => {
    const margin = parseFloat(getComputedStyle(element).scrollMarginTop);
    const { top, bottom } = element.getBoundingClientRect();
    return { element, offset: top - margin, bottom };
  });
  const current = places.findLast((place) => place.offset <= 1);
  if (direction > 0 && selector == ".hunk" && current?.bottom > innerHeight) {
    // It is longer than the screen.
    scrollBy(0, innerHeight * 0.8);
    return;
  }
  const next =
    direction > 0
      ? places.find((place) => place.offset > 1)
      : places.findLast((place) => place.offset < -1);
  next?.element.scrollIntoView();
}

function act(key) {
  if (key in moves) {
    move(...moves[key]);
  } else if (key == "f" && document.fullscreenElement) {
    document.exitFullscreen();
  } else if (key == "f") {
    document.documentElement.requestFullscreen();
  } else if (key == "Escape") {
    history.back();
  }
}

addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.key in moves) event.preventDefault();
  act(event.key);
});
addEventListener("click", (event) => {
  const button = event.target.closest(".difference [data-key]");
  if (button) act(button.dataset.key);
});
