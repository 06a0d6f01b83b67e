// Once the reader has guessed, the chapter's figure follows: it computes the
// answer. It is in the chapter anyway, further down; this is another of it.
"use strict";

(() => {
  const guesses = document.querySelectorAll('details[name="guess"]');
  const original = document.querySelector("figure.press");
  // On the page to print, there are those of all chapters.
  if (guesses.length !== 4 || !original) return;
  if (guesses[3].nextElementSibling === original) return;
  const figure = original.cloneNode(true);
  figure.hidden = true;
  original.after(figure);
  const hint = document.createElement("p");
  // What appears in it is read aloud.
  hint.role = "status";
  guesses[3].after(hint);
  for (const guess of guesses) {
    guess.addEventListener("toggle", () => {
      if (!guess.open || !figure.hidden) return;
      hint.textContent = "Now see it happen: your browser computes it below.";
      hint.after(figure);
      figure.hidden = false;
    });
  }
})();
